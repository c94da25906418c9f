"""What the store must know of a run to take the next entry of its log."""

from dataclasses import dataclass, field

from penstock.v1.run_event_pb2 import STEP_OUTCOME_CANCELLED, STEP_OUTCOME_SKIPPED, STEP_OUTCOME_SUCCEEDED
from penstock.v1.run_log_pb2 import RunRecord, StepRecord
from penstock.v1.run_pb2 import RUN_STATE_SUCCEEDED, RunState

# After these no further attempt of the step can follow.
DONE_OUTCOMES = frozenset(
    {
        STEP_OUTCOME_SUCCEEDED,
        STEP_OUTCOME_SKIPPED,
        STEP_OUTCOME_CANCELLED,
    }
)


# Not frozen: it grows with every entry, and is thrown away when an entry is undone.
@dataclass(slots=True, eq=False)
class RunHead:
    """Represents the growing end of a run: its state, steps and numbers, without plan, input and outputs.

    `record` holds what changes as the run goes on and is stored when `changed`; `waiting` has the steps that wait,
    `writers` the newest number of each writer; `output_sequence` is that of the event with the run's output, 0: none
    yet; `outbox` is what of its life has not been marked as to be published yet; not `stored` is a new run, whose row
    is written once its first events are in the log.
    """

    number: int
    tenant: str
    run_id: str
    session_id: str
    record: RunRecord
    claimable: bool = False
    signals: int = 0
    output_sequence: int = 0
    waiting: set[str] = field(default_factory=set)
    last_sequence: int = 0
    log_bytes: int = 0
    entries: int = 0
    writers: dict[str, int] = field(default_factory=dict)
    steps: dict[str, StepRecord] = field(default_factory=dict)
    changed: bool = False
    stored: bool = True
    outbox: int = 0

    def __post_init__(self) -> None:
        self.steps = {step.step_id: step for step in self.record.steps}

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self.record.run.state

    @property
    def finished(self) -> bool:
        """Whether the log has its last event."""
        return is_terminal(self.record.run.state)

    def begin_step(self, step_id: str) -> StepRecord:
        """Adds the record of a step that has had none."""
        step = self.record.steps.add(step_id=step_id)
        self.steps[step_id] = step
        return step


def is_terminal(state: int) -> bool:
    """Tells whether a state is an end."""
    return state >= RUN_STATE_SUCCEEDED
