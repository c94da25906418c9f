"""Leases, claims and signals."""

import asyncio

import grpc
import grpc.aio
import pytest

from penstock.state.settings import StateSettings
from penstock.v1.ownership_pb2 import ClaimReason, SignalOutcome
from penstock.v1.run_log_pb2 import AppendOutcome
from penstock.v1.run_pb2 import RunState
from penstock.v1.session_pb2 import ReadMessagesRequest
from penstock.wire.errors import FailedPrecondition
from tests.state import entries as e
from tests.state.house import House, error_of, open_house
from tests.state.in_time import Pace, in_time


async def test_a_claim_without_a_lease_is_refused(house: House) -> None:
    """Only the living may claim."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await e.claim(house)
    error = error_of(raised.value)
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "LEASE_LAPSED"


async def test_a_lease_says_whether_it_had_lapsed(house: House) -> None:
    """Not at first, not while it holds, but after it was given back."""
    assert not await e.lease(house)
    assert not await e.lease(house)
    await e.lease(house, ttl=0.0)
    assert await e.lease(house)


async def test_runs_of_a_lapsed_owner_are_claimed_with_a_new_epoch(house: House) -> None:
    """A lease given back frees its runs; the new epoch fences the former owner."""
    await e.lease(house)
    await e.lease(house, "second")
    await e.record(house, e.record_entry("run-1"))
    assert not (await e.claim(house, "second")).runs
    await e.lease(house, ttl=0.0)
    claimed = (await e.claim(house, "second")).runs
    assert [(run.record.run.run_id, run.record.epoch, run.reason) for run in claimed] == [
        ("run-1", 2, ClaimReason.CLAIM_REASON_ORPHANED)
    ]
    assert claimed[0].record.owner_instance_id == "second"
    fenced = await e.append_events(house, "run-1", e.token(), epoch=1)
    assert fenced.outcome == AppendOutcome.APPEND_OUTCOME_FENCED


async def test_a_waiting_claim_wakes_when_a_lease_lapses(house: House) -> None:
    """Time alone makes runs claimable: nobody calls anything in between."""
    await e.lease(house, "second")
    await e.lease(house, ttl=0.15)
    await e.record(house, e.record_entry("run-1"))
    async with asyncio.timeout(5):
        claimed = (await e.claim(house, "second", wait=30.0)).runs
    assert [run.record.run.run_id for run in claimed] == ["run-1"]


@pytest.mark.parametrize("before", [0.0, 30.0], ids=["a new lease", "a lease cut short"])
async def test_a_waiting_claim_wakes_for_a_lease_taken_after_it_began_to_wait(house: House, before: float) -> None:
    """A lease that lapses earlier than all that the waiting claim knew of shortens its sleep."""
    await e.lease(house, "second")
    if before:
        await e.lease(house, ttl=before)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(e.claim(house, "second", wait=30.0))
        await e.lease(house, "third")  # answered after the claim, which came first, has found nothing
        await e.lease(house, ttl=0.15)
        await e.record(house, e.record_entry("run-1"))
    assert [run.record.run.run_id for run in waiting.result().runs] == ["run-1"]


async def test_a_waiting_claim_wakes_when_a_turn_comes(house: House) -> None:
    """The end of a session's run hands the next one to whoever waits."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", session="s"))
    await e.record(house, e.record_entry("run-2", session="s"))
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(e.claim(house, wait=30.0))
        await e.lease(house)  # answered after the claim, which came first, has found nothing
        await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
    assert [run.record.run.run_id for run in waiting.result().runs] == ["run-2"]


async def test_a_queued_run_past_its_deadline_is_claimed_out_of_turn(house: House) -> None:
    """It can only be failed: its session is still busy, so it can't start."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", session="s"))
    await e.record(house, e.record_entry("run-2", session="s", timeout=0.05))
    async with asyncio.timeout(5):
        claimed = (await e.claim(house, wait=30.0)).runs
    assert [(run.record.run.run_id, run.reason) for run in claimed] == [
        ("run-2", ClaimReason.CLAIM_REASON_PAST_DEADLINE)
    ]
    begun = await e.append_as_owner(house, "run-2", e.started())
    assert begun.outcome == AppendOutcome.APPEND_OUTCOME_INVALID
    failed = await e.append_as_owner(house, "run-2", e.run_finished(RunState.RUN_STATE_FAILED))
    assert failed.outcome == AppendOutcome.APPEND_OUTCOME_APPENDED


async def test_runs_whose_owner_was_lost_go_before_those_that_wait(house: House) -> None:
    """However many wait, and whenever they came, what had begun goes on first."""
    await e.lease(house, "second")
    await e.lease(house)
    for number in range(5):
        await e.record(house, e.record_entry(f"queued-{number}", owner=""))
    await e.record(house, e.record_entry("orphan"))
    await e.lease(house, ttl=0.0)
    claimed = [(await e.claim(house, "second", most=2)).runs for _ in range(3)]
    assert [run.record.run.run_id for run in claimed[0]] == ["orphan", "queued-0"]
    assert sum(len(runs) for runs in claimed) == 6


async def test_no_run_is_claimed_twice(house: House) -> None:
    """Of many who claim again and again, each run goes to exactly one, and none is left."""
    instances = [f"instance-{number}" for number in range(8)]
    runs = {f"run-{number}" for number in range(40)}
    claimed: list[str] = []
    all_claimed = asyncio.Event()

    async def claim(instance: str) -> None:
        while not all_claimed.is_set():
            claimed.extend(run.record.run.run_id for run in (await e.claim(house, instance, wait=30.0)).runs)
            if len(claimed) >= len(runs):
                all_claimed.set()

    for instance in instances:
        await e.lease(house, instance)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        claiming = [group.create_task(claim(instance)) for instance in instances]
        for run_id in runs:
            await e.record(house, e.record_entry(run_id, owner=""))
        await all_claimed.wait()
        for task in claiming:
            task.cancel()
    assert sorted(claimed) == sorted(runs)
    for instance in instances:
        assert not (await e.claim(house, instance)).runs


async def test_a_claim_stops_at_the_size_of_a_message(house: House) -> None:
    """About 1 MiB and at least one; the others are there for the next claim."""
    await e.lease(house)
    for number in range(3):
        await e.record(house, e.record_entry(f"run-{number}", owner="", text="x" * 700_000))
    for number in range(3):
        assert [run.record.run.run_id for run in (await e.claim(house)).runs] == [f"run-{number}"]


async def test_a_repeated_claim_gets_the_same_runs(house: House) -> None:
    """A lost answer strands no run; another claim of the instance gets others."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", owner=""))
    first = await e.claim(house, claim_id="claim-a")
    await e.record(house, e.record_entry("run-2", owner=""))
    assert await e.claim(house, claim_id="claim-a") == first
    assert [run.record.run.run_id for run in (await e.claim(house, claim_id="claim-b")).runs] == ["run-2"]


async def test_a_cancelled_claim_claims_nothing(house: House) -> None:
    """Whoever stops waiting leaves the runs to others, even when theirs were just found."""
    await e.lease(house)
    await e.lease(house, "second")
    store = house.layer.store.ownership
    await e.record(house, e.record_entry("run-1", owner=""))
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        claim = group.create_task(store.claim(e.OWNER, "claim-x", 10, 4.0))
        # The claim has run its SQL after one turn of the loop, and is committed after the next.
        await asyncio.sleep(0)
        claim.cancel()
    assert claim.cancelled()
    claimed = (await e.claim(house, "second")).runs
    assert [run.record.run.run_id for run in claimed] == ["run-1"]


async def test_a_cancel_of_a_queued_run_ends_it_at_once(house: House) -> None:
    """Exactly one event, no message in the session, and the next run's turn."""
    await e.lease(house)
    for run_id in ("run-1", "run-2", "run-3"):
        await e.record(house, e.record_entry(run_id, session="s"))
    response = await e.cancel(house, "run-2")
    assert (response.outcome, response.run.state) == (
        SignalOutcome.SIGNAL_OUTCOME_RUN_ENDED,
        RunState.RUN_STATE_CANCELLED,
    )
    assert (await e.cancel(house, "run-2")).outcome == SignalOutcome.SIGNAL_OUTCOME_RUN_ENDED
    assert (await e.cancel(house, "run-2", "other")).outcome == SignalOutcome.SIGNAL_OUTCOME_RUN_FINISHED
    events = await e.read_log(house, "run-2")
    assert e.kinds(events) == ["run_finished"]
    assert "enough" in events[0].run_finished.error.message
    await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
    assert [run.record.run.run_id for run in (await e.claim(house)).runs] == ["run-3"]
    messages = await house.sessions.ReadMessages(ReadMessagesRequest(tenant=e.TENANT, session_id="s"))
    assert [message.message_id for message in messages.messages] == ["run-1:user"]


async def test_a_cancel_of_a_running_run_is_kept_for_its_owner(house: House) -> None:
    """It is numbered once per signal id, also when its owner is lost, and the next owner finds it."""
    await e.lease(house)
    await e.lease(house, "second")
    await e.record(house, e.record_entry("run-1"))
    first = await e.cancel(house, "run-1", "signal-a")
    assert (first.outcome, first.signal_number) == (SignalOutcome.SIGNAL_OUTCOME_SENT, 1)
    assert (await e.cancel(house, "run-1", "signal-a")).signal_number == 1
    await e.lease(house, ttl=0.0)
    assert (await e.cancel(house, "run-1", "signal-b")).outcome == SignalOutcome.SIGNAL_OUTCOME_SENT
    record = (await e.claim(house, "second")).runs[0].record
    assert [signal.signal_id for signal in record.pending_signals] == ["signal-a", "signal-b"]


async def test_a_cancel_of_what_is_not_there_says_so(house: House) -> None:
    """Also of a run of another tenant, and of one that has ended."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    assert (await e.cancel(house, "run-9")).outcome == SignalOutcome.SIGNAL_OUTCOME_NOT_FOUND
    assert (await e.cancel(house, "run-1", tenant="other")).outcome == SignalOutcome.SIGNAL_OUTCOME_NOT_FOUND
    await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
    assert (await e.cancel(house, "run-1")).outcome == SignalOutcome.SIGNAL_OUTCOME_RUN_FINISHED


async def test_leases_hold_for_their_length_after_the_store_was_away(url: str) -> None:
    """Nobody can renew while the store is away: whoever comes first then does not take over everybody's runs."""
    ttl = 0.3

    async def away(pace: Pace, number: int) -> None:
        other, given_back = f"other-{number}", f"given-back-{number}"
        names = {f"run-1-{number}", f"run-2-{number}"}

        async def claimed(house: House, wait: float = 0.0) -> set[str]:
            return {run.record.run.run_id for run in (await e.claim(house, wait=wait)).runs} & names

        async with open_house(StateSettings(url=url)) as house:
            pace.step()
            await e.lease(house, other, ttl=ttl)
            pace.step()
            await e.record(house, e.record_entry(f"run-1-{number}", owner=other))
            pace.rest()
            await e.lease(house, given_back, ttl=ttl)
            await e.record(house, e.record_entry(f"run-2-{number}", owner=given_back))
            await e.lease(house, given_back, ttl=0)
        await asyncio.sleep(1.5 * ttl)  # the store is away, and the clock goes on: there is no event to wait for
        pace.step()
        async with open_house(StateSettings(url=url)) as house:
            await e.lease(house)
            pace.step()
            assert await claimed(house) == {f"run-2-{number}"}
            pace.rest()
            assert await claimed(house, wait=5.0) == {f"run-1-{number}"}

    await in_time(ttl, away)
