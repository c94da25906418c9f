"""Settings of the orchestrator layer."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OrchestratorSettings:
    """How the orchestrator drives runs; all times are in seconds."""

    workflows: Sequence[str] = ()
    """YAML or JSON files of named plans; a workflow's name is its file's name without the ending."""

    lease_seconds: float = 10.0
    """For how long this process owns its runs after its last heartbeat; 0.1 to 300. A third of it is the heartbeat."""

    step_timeout_seconds: float = 600.0
    """Time for an attempt whose step says nothing."""

    lost_attempts: int = 3
    """How often a step's executor may be lost before the step fails."""

    executor_wait_seconds: float = 30.0
    """After a loss, time to wait for an executor that is ready, before the step fails."""

    claim_batch: int = 16
    """Runs taken over in one go."""
