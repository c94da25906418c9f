"""Who drives which run, against the books of a few sessions and instances."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

import grpc
import grpc.aio
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from penstock.v1 import run_log_pb2 as pb
from penstock.v1.ownership_pb2 import ClaimReason, ClaimRunsResponse, SendSignalRequest, SignalOutcome
from penstock.v1.run_log_pb2 import AppendOutcome, RecordOutcome
from penstock.v1.run_pb2 import Content, OnBusy, RunState, Signal
from penstock.v1.session_pb2 import ReadSessionRequest
from tests.state import entries as e
from tests.state.house import House, error_of
from tests.state.models.choices import REPLICA
from tests.state.models.machine import StoreMachine
from tests.state.models.served import Served

QUEUED, RUNNING = RunState.RUN_STATE_QUEUED, RunState.RUN_STATE_RUNNING
CANCELLED, FAILED = RunState.RUN_STATE_CANCELLED, RunState.RUN_STATE_FAILED
_houses = count()

ANY = st.integers(0, 99)
_CANCEL = Signal(cancel=Signal.Cancel(reason="enough"))
_APPROVAL = Signal(approval=Signal.Approval(step_id="gate", approved=True))
_INPUT = Signal(input=Signal.Input(name="gate", content=[Content(text="more")]))


@dataclass
class Held:
    """Represents how a run should stand."""

    run_id: str
    session: str
    created: int = 0
    state: RunState = QUEUED
    owner: str = ""
    epoch: int = 0
    its_turn: bool = False
    signals: list[str] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state >= RunState.RUN_STATE_SUCCEEDED


class OwnershipMachine(StoreMachine):
    """Records, claims, starts, cancels and ends runs of three sessions and of none, for three instances."""

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        self.tenant = f"t{next(_houses)}"
        self.instances = [f"{self.tenant}.{name}" for name in "abc"]
        self.leases: dict[str, bool] = {}
        self.runs: list[Held] = []
        self.signals = count()

    def _session(self, session: str) -> list[Held]:
        return [run for run in self.runs if session and run.session == session and not run.over]

    def _end(self, run: Held, state: RunState) -> None:
        run.state, run.its_turn = state, False
        following = self._session(run.session)
        if following and following[0].state == QUEUED and not following[0].owner:
            following[0].its_turn = True

    def _lapsed(self, run: Held) -> bool:
        return bool(run.owner) and not self.leases[run.owner] and not run.over

    @rule(at=REPLICA, who=st.integers(0, 2))
    def renew(self, at: int, who: int) -> None:
        """Takes or keeps a lease."""
        instance = self.instances[who]
        lapsed = self.served.ask(lambda house: e.lease(house, instance), at)
        assert lapsed == (self.leases.get(instance) is False)
        self.leases[instance] = True

    @rule(at=REPLICA, who=st.integers(0, 2))
    def give_back(self, at: int, who: int) -> None:
        """Gives a lease back."""
        instance = self.instances[who]
        self.served.ask(lambda house: e.lease(house, instance, ttl=0.0), at)
        self.leases[instance] = False

    @rule(
        at=REPLICA,
        session=st.sampled_from(["", "s1", "s1", "s2", "s2", "s3"]),
        who=st.integers(-1, 2),
        on_busy=st.sampled_from([0, 0, OnBusy.ON_BUSY_REJECT, OnBusy.ON_BUSY_INTERRUPT]),
    )
    def record(self, at: int, session: str, who: int, on_busy: OnBusy) -> None:
        """Records a run, which an instance would drive at once."""
        run = Held(f"run-{len(self.runs)}", session)
        owner = self.instances[who] if who >= 0 else ""
        entry = e.record_entry(run.run_id, session=session, owner=owner, on_busy=on_busy, tenant=self.tenant)
        result = self.served.ask(lambda house: e.record(house, entry), at)
        before = self._session(session)
        if on_busy == OnBusy.ON_BUSY_INTERRUPT:
            assert list(result.interrupted_run_ids) == [each.run_id for each in before]
            for other in reversed(before):
                if other.state == QUEUED:
                    self._end(other, CANCELLED)
                else:
                    other.signals.append(run.run_id)
        busy = self._session(session)
        if busy and on_busy == OnBusy.ON_BUSY_REJECT:
            assert result.outcome == RecordOutcome.RECORD_OUTCOME_SESSION_BUSY
            assert result.busy_run_id == busy[0].run_id
            return
        self.runs.append(run)
        run.created = result.record.run.create_time.ToMicroseconds()
        if not busy and self.leases.get(owner):
            assert result.outcome == RecordOutcome.RECORD_OUTCOME_STARTED
            run.state, run.owner, run.epoch = RUNNING, owner, 1
        else:
            assert result.outcome == RecordOutcome.RECORD_OUTCOME_QUEUED
            run.its_turn = not busy

    @rule(at=REPLICA, who=st.integers(0, 2))
    def claim(self, at: int, who: int) -> None:
        """Claims until there is nothing left to claim."""
        instance = self.instances[who]
        if not self.leases.get(instance):
            assert self.served.ask(lambda house: _refused(house, instance), at) == "LEASE_LAPSED"
            return
        left = {run.run_id: run for run in self.runs if run.its_turn or self._lapsed(run)}
        while True:
            wait = 5.0 if left else 0.0
            claimed: ClaimRunsResponse = self.served.ask(lambda house, wait=wait: e.claim(house, instance, wait), at)
            if not claimed.runs:
                break
            for each in claimed.runs:
                run = left.pop(each.record.run.run_id)
                queued = run.its_turn
                reason = ClaimReason.CLAIM_REASON_QUEUED if queued else ClaimReason.CLAIM_REASON_ORPHANED
                run.owner, run.its_turn, run.epoch = instance, False, run.epoch + 1
                assert (each.reason, each.record.epoch) == (reason, run.epoch)
                assert [signal.signal_id for signal in each.record.pending_signals] == run.signals
        assert not left, f"nobody can claim {sorted(left)}"

    @rule(at=REPLICA, which=ANY)
    @precondition(lambda self: any(run.owner and run.state == QUEUED for run in self.runs))
    def start(self, at: int, which: int) -> None:
        """Starts a run that was claimed."""
        claimed = [run for run in self.runs if run.owner and run.state == QUEUED]
        run = claimed[which % len(claimed)]
        assert self._write(at, run, run.epoch, [e.started(), e.step_started()])
        run.state = RUNNING

    @rule(at=REPLICA, which=ANY)
    @precondition(lambda self: any(run.state == RUNNING for run in self.runs))
    def finish(self, at: int, which: int) -> None:
        """Ends a run as its owner."""
        running = [run for run in self.runs if run.state == RUNNING]
        run = running[which % len(running)]
        assert not self._write(at, run, run.epoch - 1, [e.run_finished(FAILED)])
        assert self._write(at, run, run.epoch, [e.run_finished(FAILED)])
        run.signals.clear()
        self._end(run, FAILED)

    def _write(self, at: int, run: Held, epoch: int, events: list[e.RunEvent]) -> bool:
        result = self.served.ask(
            lambda house: e.append_as_owner(house, run.run_id, *events, epoch=epoch, tenant=self.tenant), at
        )
        return result.outcome == AppendOutcome.APPEND_OUTCOME_APPENDED

    @rule(at=REPLICA, which=ANY, signal=st.sampled_from([_APPROVAL, _INPUT, _CANCEL]))
    @precondition(lambda self: self.runs)
    def signal(self, at: int, which: int, signal: Signal) -> None:
        """Signals a run, twice by the same name."""
        run = self.runs[which % len(self.runs)]
        name = f"signal-{next(self.signals)}"
        request = SendSignalRequest(tenant=self.tenant, run_id=run.run_id, signal_id=name, signal=signal)
        first, second = (self.served.ask(lambda house: house.owner.SendSignal(request), at + again) for again in (0, 1))
        if run.over:
            assert first.outcome == second.outcome == SignalOutcome.SIGNAL_OUTCOME_RUN_FINISHED
        elif run.state == QUEUED and signal is _CANCEL:
            assert first.outcome == second.outcome == SignalOutcome.SIGNAL_OUTCOME_RUN_ENDED
            self._end(run, CANCELLED)
        else:
            assert first.outcome == second.outcome == SignalOutcome.SIGNAL_OUTCOME_SENT
            run.signals.append(name)
            assert first.signal_number == second.signal_number == len(run.signals)

    @rule(at=REPLICA, which=ANY)
    @precondition(lambda self: self.runs)
    def look(self, at: int, which: int) -> None:
        """Reads a run, and its session."""
        run = self.runs[which % len(self.runs)]
        record = self.served.ask(lambda house: e.run_record(house, run.run_id, self.tenant), at)
        assert (record.run.state, record.epoch) == (run.state, run.epoch)
        if not run.over:
            assert record.owner_instance_id == run.owner
            assert [signal.signal_id for signal in record.pending_signals] == run.signals
        if run.session:
            request = ReadSessionRequest(tenant=self.tenant, session_id=run.session)
            session = self.served.ask(lambda house: house.sessions.ReadSession(request), at).session
            waiting = self._session(run.session)
            assert session.active_run_id == "".join(each.run_id for each in waiting if each.state != QUEUED)
            assert session.queued_runs == sum(each.state == QUEUED for each in waiting)

    @rule(at=REPLICA, state=st.sampled_from([QUEUED, RUNNING, CANCELLED, FAILED]), size=st.integers(1, 4))
    def find(self, at: int, state: RunState, size: int) -> None:
        """Lists the runs in a state, page by page, the newest first."""
        found: list[str] = []
        token = ""
        while True:
            request = pb.FindRunsRequest(tenant=self.tenant, states=[state], page_size=size, page_token=token)
            page = self.served.ask(lambda house, request=request: house.log.FindRuns(request), at)
            found += [run.run_id for run in page.runs]
            token = page.next_page_token
            if not token:
                break
        # Two state processes know the store's clock, and so which run is newer, only so well.
        oldest_first = sorted(self.runs, key=lambda run: run.created)
        assert found == [run.run_id for run in reversed(oldest_first) if run.state == state], found

    def teardown(self) -> None:
        """Ends all runs, so that nobody claims them from now on."""
        for run in self.runs:
            if run.state == RUNNING:
                self._write(0, run, run.epoch, [e.run_finished(FAILED)])
            elif run.state == QUEUED:
                self.served.ask(lambda house, run=run: e.cancel(house, run.run_id, "end", tenant=self.tenant))


async def _refused(house: House, instance: str) -> str:
    try:
        await e.claim(house, instance)
    except grpc.aio.AioRpcError as error:
        return error_of(error).reason
    return ""
