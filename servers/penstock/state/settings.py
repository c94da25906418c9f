"""What can be set about the state layer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StateSettings:
    """Says where the state layer keeps its data, and where it stops taking more."""

    url: str = "sqlite:///penstock.db"
    """The store: `sqlite:///relative.db` or `sqlite:////absolute.db`; `?synchronous=full` also survives power loss."""

    max_log_bytes: int = 64 * 1024 * 1024
    """Most bytes of events in one run's log. Default: 64 MiB."""

    max_log_events: int = 1_000_000
    """Most events in one run's log. Default: 1,000,000."""

    max_cached_runs: int = 10_000
    """Most unfinished runs whose heads are kept in memory; others are read again when needed. Default: 10,000."""

    max_tails: int = 10_000
    """Most tails on one TailEvents stream. Default: 10,000."""

    max_response_bytes: int = 1024 * 1024
    """Bytes of events after which a streamed response is sent. Default: 1 MiB."""

    heartbeat: float = 10.0
    """Seconds of silence after which a TailEvents stream gets an empty response. Default: 10."""

    boot_id: str = ""
    """Names the machine's boot, to tell power loss from a killed process. Default: empty, read from the system."""
