"""The house: which layers there are, what each calls, and how they come to stand in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from penstock.interceptors.context import Door
from penstock.interceptors.draining import Gate
from penstock.interceptors.errors import single_error
from penstock.interceptors.guard import Load
from penstock.interceptors.stack import server_stack
from penstock.server import building
from penstock.server.address import Address
from penstock.server.administration import administering
from penstock.server.building import Parts
from penstock.server.channels import Channels
from penstock.server.config import Config
from penstock.server.health_probe import check_of
from penstock.server.health_service import HealthService
from penstock.server.host import listening_server
from penstock.server.identity import ProcessIdentity, new_identity
from penstock.server.readiness import Check, Pulse, Readiness
from penstock.server.reflection import add_reflection
from penstock.server.services import add_services, service_names
from penstock.wire.errors import PenstockError
from penstock.wire.in_process import InProcessServer


@dataclass(frozen=True, slots=True)
class Layer:
    """Represents a layer: how it is built, and which layers it calls and which of those it can't do without.

    `try_settings` raises ValueError or PenstockError for settings with which it could not be built.
    """

    build: Callable[[Parts], AbstractAsyncContextManager[Any]]
    try_settings: Callable[[Config], None]
    calls: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


# In the order in which they start; they stop in reverse. Configuration selects from this and never rewires it.
LAYERS: Final[Mapping[str, Layer]] = {
    "state": Layer(building.state, building.try_state),
    "tools": Layer(building.tools, building.try_tools),
    "executor": Layer(building.executor, building.try_executor, calls=("state", "tools"), needs=("tools", "state")),
    "orchestrator": Layer(
        building.orchestrator,
        building.try_orchestrator,
        calls=("state", "tools", "executor"),
        needs=("executor", "state"),
    ),
    "gateway": Layer(
        building.gateway,
        building.try_gateway,
        calls=("state", "tools", "executor", "orchestrator"),
        needs=("orchestrator", "state"),
    ),
}

CALLS: Final[Mapping[str, Sequence[str]]] = {name: layer.calls for name, layer in LAYERS.items()}

# Seconds that calls which nobody waits for (reads, tails, health watches) get to end when a listener stops.
STOP_GRACE: Final = 0.5


class NotStarted(Exception):
    """Layers can't be started; `by_configuration` says that their settings are to blame."""

    def __init__(self, *causes: tuple[str, Exception]) -> None:
        super().__init__("\n".join(f"the {layer} layer can't start: {cause}" for layer, cause in causes))
        self.by_configuration = all(isinstance(cause, ValueError | PenstockError) for _, cause in causes)


@dataclass(frozen=True, slots=True)
class Listener:
    """Represents a server that can be reached from outside: where, and for which layers."""

    address: Address
    layers: tuple[str, ...]
    gate: Gate


@dataclass(frozen=True, slots=True)
class Mesh:
    """Represents the running layers of this process."""

    identity: ProcessIdentity
    running: Mapping[str, Any]
    readiness: Mapping[str, Readiness]
    listeners: tuple[Listener, ...]
    admin: Address | None = None

    @property
    def address(self) -> Address:
        """Where this process is reached: the door, or, without one, its layers."""
        return self.listeners[0].address


@asynccontextmanager
async def open_mesh(config: Config, identity: ProcessIdentity | None = None) -> AsyncGenerator[Mesh]:
    """Starts the hosted layers, and stops them in reverse; what had been started is stopped when a part fails.

    Raises NotStarted when a layer can't be started, NotListening when an address can't be listened on.
    """
    try:
        async with _mesh(config, identity or new_identity()) as mesh:
            yield mesh
    except BaseExceptionGroup as group:
        # Layers run their own work in task groups, which wrap whatever passes through them on its way out.
        raise single_error(group) from None


@asynccontextmanager
async def _mesh(config: Config, identity: ProcessIdentity) -> AsyncGenerator[Mesh]:
    loads = {
        service: load
        for name in config.hosted
        for load in [Load(config.rules[name])]
        for service in service_names(name)
    }
    pulse = Pulse()
    _try_settings(config)
    async with AsyncExitStack() as stack:
        local = {name: InProcessServer(name, interceptors=server_stack(_of(loads, name))) for name in config.hosted}
        channels = Channels(local, config.connect, stack)
        parts = Parts(config, identity, channels)
        running: dict[str, Any] = {}
        readiness: dict[str, Readiness] = {}
        for name, layer in LAYERS.items():
            if name in config.hosted:
                running[name] = await _started(name, layer, parts, stack)
                readiness[name] = Readiness(name, service_names(name), _checks(name, running[name], channels), pulse)
                add_services(name, running[name], local[name])
                _add_health([readiness[name]], identity, local[name])
                stack.push_async_callback(local[name].stop, STOP_GRACE)
                await local[name].start()
        listeners = [
            await stack.enter_async_context(_listening(config, address, names, running, readiness, loads, identity))
            for address, names in _places(config)
        ]
        admin = await stack.enter_async_context(administering(config, running))
        await stack.enter_async_context(_checking(list(readiness.values())))
        yield Mesh(identity, running, readiness, tuple(listeners), admin)


async def _started(name: str, layer: Layer, parts: Parts, stack: AsyncExitStack) -> Any:
    try:
        return await stack.enter_async_context(layer.build(parts))
    except (ValueError, PenstockError, RuntimeError, OSError) as error:
        raise NotStarted((name, error)) from error


def _try_settings(config: Config) -> None:
    """Raises NotStarted with all that is wrong with the settings of all hosted layers, before any is started."""
    wrong = []
    for name, layer in LAYERS.items():
        if name in config.hosted:
            try:
                layer.try_settings(config)
            except (ValueError, PenstockError) as error:
                wrong.append((name, error))
    if wrong:
        raise NotStarted(*wrong)


def _places(config: Config) -> list[tuple[Address, tuple[str, ...]]]:
    """Says where to listen, and for which layers: the door is for strangers and has the gateway alone."""
    if "gateway" not in config.hosted:
        return [(config.listen, config.hosted)]
    places: list[tuple[Address, tuple[str, ...]]] = [(config.listen, ("gateway",))]
    inner = tuple(name for name in config.hosted if name != "gateway")
    if config.inner_listen is not None and inner:
        places.append((config.inner_listen, inner))
    return places


@asynccontextmanager
async def _listening(
    config: Config,
    address: Address,
    names: tuple[str, ...],
    running: Mapping[str, Any],
    readiness: Mapping[str, Readiness],
    loads: Mapping[str, Load],
    identity: ProcessIdentity,
) -> AsyncGenerator[Listener]:
    door = Door(config.tenant) if "gateway" in names else None
    gate = Gate()
    served = {service: load for name in names for service, load in _of(loads, name).items()}
    server, bound = listening_server(address, server_stack(served, gate=gate, door=door), door=door is not None)
    for name in names:
        add_services(name, running[name], server)
    _add_health([readiness[name] for name in names], identity, server)
    if config.features["reflection"]:
        add_reflection(sorted(served), server)
    await server.start()
    try:
        yield Listener(bound, names, gate)
    finally:
        await server.stop(STOP_GRACE)


@asynccontextmanager
async def _checking(layers: Sequence[Readiness]) -> AsyncGenerator[None]:
    """Keeps checking for the block; one round is done before it begins, lower layers first."""
    for layer in layers:
        await layer.check_all()
    failure: BaseException | None = None
    async with asyncio.TaskGroup() as rounds:
        tasks = [rounds.create_task(layer.run(), name=f"check {layer.layer}") for layer in layers]
        try:
            yield
        except BaseException as error:  # raised again below: inside the group it would come out wrapped in one
            failure = error
        finally:
            for task in tasks:
                task.cancel()
    if failure is not None:
        raise failure


def _checks(name: str, running: Any, channels: Channels) -> tuple[Check, ...]:
    own = (Check("store", running.check),) if name == "state" else ()
    return own + tuple(check_of(channels.target(needed)) for needed in LAYERS[name].needs)


def _add_health(layers: Sequence[Readiness], identity: ProcessIdentity, server: grpc.aio.Server) -> None:
    add_HealthServicer_to_server(HealthService(layers, identity), server)


def _of(loads: Mapping[str, Load], layer: str) -> dict[str, Load]:
    return {service: loads[service] for service in service_names(layer)}
