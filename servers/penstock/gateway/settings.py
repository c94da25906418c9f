"""What can be set for the gateway."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Represents the gateway's configuration. Times are in seconds."""

    heartbeat_seconds: float = 15.0
    """Silence on a run's stream after which an empty message says that the stream is alive; default 15."""

    start_timeout: float = 10.0
    """Time that the orchestrator has to record a run; default 10."""

    read_timeout: float = 5.0
    """Time that another layer has to answer a read, a list or a signal; default 5."""

    state_patience: float = 10.0
    """How long the state layer may be away before a run's stream ends with UNAVAILABLE; default 10."""

    hint_timeout: float = 0.5
    """Time spent on finding names like one that does not exist; default 0.5."""

    status_timeout: float = 1.0
    """Time that a layer has to say how it is; default 1."""

    answer_margin: float = 0.1
    """How long before a caller's deadline the gateway stops waiting, so that its answer still arrives; default 0.1."""
