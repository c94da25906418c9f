"""What can be set about the state layer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StateSettings:
    """Says where the state layer keeps its data, and where it stops taking more."""

    url: str = "sqlite:///penstock.db"
    """The store: `sqlite:///relative.db` or `sqlite:////absolute.db`, where `?synchronous=full` also survives power
    loss; `redis://host:6379/0` or `rediss://…` (TLS) for a standalone Redis or Valkey, `redis+cluster://host:6379` for
    a Cluster."""

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

    history_limit: int = 100
    """Most messages that a session keeps; older ones are cut at the turns' boundaries. Default: 100."""

    session_ttl: float = 3600.0
    """Seconds after its last use at which a session is forgotten, unless a run of it goes on; 0: never.
    Default: 1 hour."""

    log_retention: float = 7 * 86400.0
    """Seconds after a run's end at which its events are trimmed, the last entry apart; 0: never. Default: 7 days."""

    run_retention: float = 30 * 86400.0
    """Seconds after a run's end at which nothing of it is kept, its idempotency key included; 0: never.
    Default: 30 days."""

    max_finished_log_bytes: int = 0
    """Most bytes of events of all finished runs together; the oldest are trimmed first; 0: no bound. Default: 0."""

    topic_retention: float = 86400.0
    """Seconds after which a topic's events are dropped; 0: never. Default: 1 day."""

    max_topic_events: int = 100_000
    """Most events that a topic keeps; the oldest are dropped first. Default: 100,000."""

    lifecycle_topic: str = "penstock.runs"
    """Topic to which each run's start and end are published, in the run's tenant; empty: none.
    Default: penstock.runs."""

    sweep_seconds: float = 1.0
    """Seconds between looks for what has expired, is to be trimmed, or is to be published. Default: 1."""
