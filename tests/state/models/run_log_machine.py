"""One run's log against a list of what it should say."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from penstock.v1 import run_log_pb2 as pb
from penstock.v1.run_event_pb2 import RunEvent, StepOutcome
from penstock.v1.run_log_pb2 import AppendOutcome as Out
from penstock.v1.run_pb2 import RunState
from tests.state import entries as e
from tests.state.models.choices import REPLICA, SELDOM
from tests.state.models.machine import StoreMachine
from tests.state.models.served import Served

_FAILED = StepOutcome.STEP_OUTCOME_FAILED
_runs = count()
_numbers = count(1)

STEP = st.sampled_from(["main", "main", "other", "other/part"])
OFF = st.sampled_from([0, 0, 0, 0, -1, 1])


@dataclass
class Step:
    """Represents how far a step should be."""

    attempt: int = 0
    open: bool = False
    done: bool = False


class RunLogMachine(StoreMachine):
    """Writes to a run's log as owners, attempts, zombies and repeaters do, and keeps the books itself."""

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        self.run_id = f"run-{next(_runs)}"
        self.owners = [f"{self.run_id}.a", f"{self.run_id}.b"]
        self.epoch = 1
        self.finished = False
        self.steps = {"main": Step(1, open=True)}
        self.said = ["run_started", "step_started"]
        self.taken: list[tuple[pb.AppendEventsEntry, int, int]] = []
        self.checkpoints: dict[str, bytes] = {}
        self.served.ask(lambda house: e.lease(house, self.owners[0]))
        self.recorded = e.record_entry(self.run_id, owner=self.owners[0])
        result = self.served.ask(lambda house: e.record(house, self.recorded))
        assert result.outcome == pb.RecordOutcome.RECORD_OUTCOME_STARTED

    def _append(self, at: int, entry: pb.AppendEventsEntry, expected: Out, *, says: list[str]) -> bool:
        (result,) = self.served.ask(lambda house: e.append(house, entry), at)
        assert Out.Name(result.outcome) == Out.Name(expected)
        if expected != Out.APPEND_OUTCOME_APPENDED:
            assert (result.first_sequence, result.last_sequence) == (0, 0)
            assert result.detail
            return False
        first = len(self.said) + 1 if says else 0
        self.said += says
        last = len(self.said) if says else 0
        assert (result.first_sequence, result.last_sequence) == (first, last)
        assert (result.durable_sequence, result.generation) == (len(self.said), 1)
        self.taken.append((entry, first, last))
        if entry.HasField("checkpoint"):
            self.checkpoints[entry.step_id] = entry.checkpoint
            if not entry.checkpoint:
                del self.checkpoints[entry.step_id]
        return True

    def _fenced(self, epoch: int) -> Out | None:
        if self.finished:
            return Out.APPEND_OUTCOME_RUN_FINISHED
        return None if epoch == self.epoch else Out.APPEND_OUTCOME_FENCED

    def _closed(self, step: Step, attempt: int) -> Out | None:
        if step.done:
            return Out.APPEND_OUTCOME_STEP_FINISHED
        return None if step.open and step.attempt == attempt else Out.APPEND_OUTCOME_ATTEMPT_CLOSED

    @rule(
        at=REPLICA,
        epoch_off=OFF,
        attempt_off=OFF,
        step_id=STEP,
        texts=st.lists(st.text(max_size=3), max_size=3),
        checkpoint=st.sampled_from([None, None, b"", b"one", b"two"]),
        end=st.sampled_from([None, None, None, _FAILED, _FAILED, _FAILED, StepOutcome.STEP_OUTCOME_SUCCEEDED]),
    )
    def write(
        self,
        at: int,
        epoch_off: int,
        attempt_off: int,
        step_id: str,
        texts: list[str],
        checkpoint: bytes | None,
        end: StepOutcome | None,
    ) -> None:
        """Writes as an attempt, which may be a late or a made up one."""
        step = self.steps.get(step_id, Step())
        attempt = max(step.attempt + attempt_off, 1)
        epoch = max(self.epoch + epoch_off, 1)
        events = [e.token(text, attempt, step_id) for text in texts]
        if end:
            events.append(e.step_finished(attempt, step_id, end))
        if not events and checkpoint is None:
            checkpoint = b"three"
        entry = e.append_entry(
            self.run_id,
            *events,
            epoch=epoch,
            step=step_id,
            attempt=attempt,
            writer=f"{step_id.replace('/', '.')}-{epoch}-{attempt}",
            number=next(_numbers),
        )
        if checkpoint is not None:
            entry.checkpoint = checkpoint
        refusal = self._fenced(epoch) or self._closed(step, attempt)
        says = [*texts, *(["step_finished"] if end else [])]
        if self._append(at, entry, refusal or Out.APPEND_OUTCOME_APPENDED, says=says) and end:
            step.open = False
            step.done = end == StepOutcome.STEP_OUTCOME_SUCCEEDED

    def _own(self, at: int, epoch: int, events: list[RunEvent], refusal: Out | None) -> bool:
        entry = e.append_entry(
            self.run_id, *events, epoch=epoch, step="", writer=f"owner-{epoch}", number=next(_numbers)
        )
        says = [event.WhichOneof("event") or "" for event in events]
        expected = self._fenced(epoch) or refusal or Out.APPEND_OUTCOME_APPENDED
        return self._append(at, entry, expected, says=says)

    @rule(at=REPLICA, epoch_off=OFF, attempt_off=OFF, step_id=STEP)
    def begin(self, at: int, epoch_off: int, attempt_off: int, step_id: str) -> None:
        """Opens a step's next attempt as an owner does, giving up one that is open."""
        step = self.steps.get(step_id, Step())
        attempt = max(step.attempt + 1 + attempt_off, 1)
        events = [e.rewind(step.attempt, step_id)] if step.open else []
        refusal = None if attempt == step.attempt + 1 else Out.APPEND_OUTCOME_INVALID
        if step.done:
            refusal = Out.APPEND_OUTCOME_STEP_FINISHED
        if self._own(at, max(self.epoch + epoch_off, 1), [*events, e.step_started(attempt, step_id)], refusal):
            self.steps[step_id] = Step(attempt, open=True)

    @rule(at=REPLICA, epoch_off=OFF, output=st.booleans(), sure=SELDOM)
    def finish(self, at: int, epoch_off: int, output: bool, sure: bool) -> None:
        """Ends the run, with the output of a step that may have none."""
        if not sure:
            return
        state = RunState.RUN_STATE_SUCCEEDED if output else RunState.RUN_STATE_FAILED
        missing = Out.APPEND_OUTCOME_INVALID if output and not self.steps["main"].done else None
        events = [e.run_finished(state, "main" if output else "")]
        if self._own(at, max(self.epoch + epoch_off, 1), events, missing):
            self.finished = True

    @rule(at=REPLICA)
    @precondition(lambda self: not self.finished)
    def take_over(self, at: int) -> None:
        """Lets the other owner claim the run, after the one before gave its lease back."""
        before, after = self.owners
        self.owners.reverse()
        self.served.ask(lambda house: e.lease(house, before, ttl=0.0), at)
        self.served.ask(lambda house: e.lease(house, after), at + 1)
        claimed = self.served.ask(lambda house: e.claim(house, after, wait=5.0), at + 1)
        self.epoch += 1
        assert [(each.record.run.run_id, each.record.epoch) for each in claimed.runs] == [(self.run_id, self.epoch)]

    @rule(at=REPLICA, which=st.integers(0, 50))
    @precondition(lambda self: self.taken)
    def repeat(self, at: int, which: int) -> None:
        """Sends an entry again that was taken, as after a lost answer."""
        entry, first, last = self.taken[which % len(self.taken)]
        (result,) = self.served.ask(lambda house: e.append(house, entry), at)
        if self.finished and entry is not self.taken[-1][0]:
            # Only the entry that ended a run need be remembered.
            assert result.outcome in (Out.APPEND_OUTCOME_REPEATED, Out.APPEND_OUTCOME_RUN_FINISHED)
        else:
            assert Out.Name(result.outcome) == "APPEND_OUTCOME_REPEATED"
        if result.outcome == Out.APPEND_OUTCOME_REPEATED:
            assert (result.first_sequence, result.last_sequence) == (first, last)

    @rule(at=REPLICA, other=st.booleans())
    def record_again(self, at: int, other: bool) -> None:
        """Records the same run again, or another one under its id."""
        entry = pb.RecordRunsEntry()
        entry.CopyFrom(self.recorded)
        if other:
            entry.spec.labels["other"] = "1"
        result = self.served.ask(lambda house: e.record(house, entry), at)
        outcome = pb.RecordOutcome.RECORD_OUTCOME_DIFFERS if other else pb.RecordOutcome.RECORD_OUTCOME_EXISTING
        assert result.outcome == outcome

    @rule(at=REPLICA, after=st.integers(0, 100), lifecycle=st.booleans())
    def read(self, at: int, after: int, lifecycle: bool) -> None:
        """Reads the log from somewhere to its end."""
        after = min(after, len(self.said))
        include = [pb.TailInclude.TAIL_INCLUDE_LIFECYCLE] if lifecycle else []
        events = self.served.ask(lambda house: e.read_log(house, self.run_id, after=after, include=include), at)
        told = [(event.sequence, _said(event)) for event in events]
        expected = list(enumerate(self.said, 1))[after:]
        if lifecycle:
            tokens = {event.sequence for event in events if event.HasField("token")}
            assert not tokens
            kinds = {"run_started", "step_started", "rewind", "step_finished", "run_finished"}
            expected = [(number, kind) for number, kind in expected if kind in kinds]
        assert told == expected

    @rule(at=REPLICA)
    def look(self, at: int) -> None:
        """Reads the run's record."""
        record = self.served.ask(lambda house: e.run_record(house, self.run_id), at)
        assert (record.epoch, record.run.last_sequence, record.run.durable_sequence) == (
            self.epoch,
            len(self.said),
            len(self.said),
        )
        assert (record.run.state >= RunState.RUN_STATE_SUCCEEDED) == self.finished
        if not self.finished:
            assert dict(record.checkpoints) == self.checkpoints
            assert record.owner_instance_id == self.owners[0]
        found = {step.step_id: (step.attempt, step.open) for step in record.steps}
        assert found == {
            step_id: (step.attempt, step.open and not self.finished) for step_id, step in self.steps.items()
        }

    def teardown(self) -> None:
        """Ends the run, so that nobody claims it from now on."""
        if not self.finished:
            self._own(0, self.epoch, [e.run_finished(RunState.RUN_STATE_FAILED)], None)


def _said(event: RunEvent) -> str:
    return event.token.text if event.HasField("token") else event.WhichOneof("event") or ""
