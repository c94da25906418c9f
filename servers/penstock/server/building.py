"""How each layer is built from the configuration and its channels; each layer's code is imported when it is hosted."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from penstock.server.channels import Channels
from penstock.server.config import Config
from penstock.server.identity import ProcessIdentity


@dataclass(frozen=True, slots=True)
class Parts:
    """Represents what layers are built from."""

    config: Config
    identity: ProcessIdentity
    channels: Channels


def state(parts: Parts) -> AbstractAsyncContextManager[Any]:
    """Builds the state layer."""
    from penstock.state.layer import open_state

    return open_state(parts.config.settings.state)


def tools(parts: Parts) -> AbstractAsyncContextManager[Any]:
    """Builds the tools layer."""
    from penstock.tools.layer import open_tools

    return open_tools(parts.config.settings.tools, instance_id=parts.identity.instance_id)


def executor(parts: Parts) -> AbstractAsyncContextManager[Any]:
    """Builds the executor."""
    from penstock.executor.layer import open_executor

    return open_executor(
        parts.config.settings.executor,
        state=parts.channels.to("state"),
        tools=parts.channels.to("tools"),
        instance_id=parts.identity.instance_id,
    )


def orchestrator(parts: Parts) -> AbstractAsyncContextManager[Any]:
    """Builds the orchestrator."""
    from penstock.orchestrator.layer import open_orchestrator

    return open_orchestrator(
        parts.config.settings.orchestrator,
        state=parts.channels.to("state"),
        executor=parts.channels.to("executor"),
        tools=parts.channels.to("tools"),
        instance_id=parts.identity.instance_id,
    )


def gateway(parts: Parts) -> AbstractAsyncContextManager[Any]:
    """Builds the gateway."""
    from penstock.gateway.layer import open_gateway
    from penstock.gateway.status import Identity

    config, channels = parts.config, parts.channels
    return open_gateway(
        config.settings.gateway,
        orchestrator=channels.to("orchestrator"),
        executor=channels.to("executor"),
        tools=channels.to("tools"),
        state=channels.to("state"),
        identity=Identity(
            config.service_name,
            config.environment,
            parts.identity.version,
            tuple(sorted(feature for feature, on in config.features.items() if on)),
        ),
        targets=[channels.target(layer) for layer in ("gateway", "orchestrator", "executor", "tools", "state")],
        instance_id=parts.identity.instance_id,
    )


def try_state(config: Config) -> None:
    """Raises ValueError when the store's URL names none."""
    from penstock.state.open_store import open_store

    open_store(config.settings.state)


def try_tools(config: Config) -> None:
    """Raises ValueError for tools that can't be had."""
    from penstock.tools.loading import load_tools

    load_tools(config.settings.tools.tools)


def try_executor(config: Config) -> None:
    """Raises ValueError for agents that can't be had, the model among them."""
    from penstock.executor.loading import load_agents
    from penstock.executor.model.check import check_model

    settings = config.settings.executor
    load_agents(settings.agents)
    if settings.model is not None:
        check_model(settings.model)


def try_orchestrator(config: Config) -> None:
    """Raises InvalidArgument for workflows that can't be driven."""
    from penstock.orchestrator.workflows import Workflows

    Workflows.load(config.settings.orchestrator.workflows)


def try_gateway(config: Config) -> None:
    """Raises nothing: the gateway's settings are numbers, which the configuration has checked."""
