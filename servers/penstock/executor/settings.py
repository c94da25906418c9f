"""The settings of the executor layer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from penstock.executor.model.settings import ModelSettings


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """Represents the configuration of the executor layer."""

    # The agents: name → "module:attr" of an async generator function. Default: none.
    agents: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    # The model that the agent `model` serves. Default: None, there is no such agent.
    model: ModelSettings | None = None

    # Most messages of a session that an agent gets as its history, the newest ones. Default: 1,000.
    max_history: int = 1_000

    # Seconds that a cancelled agent gets to clean up before its caller stops waiting for it. Default: 5.
    stop_grace: float = 5.0

    # Seconds for which the run log may acknowledge nothing before an attempt is given up. Default: 30.
    log_patience: float = 30.0
