"""Signals: kept for whoever drives the run, numbered, heard in order."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio
import pytest

from penstock.v1.ownership_pb2 import SendSignalRequest, SendSignalResponse, SignalOutcome
from penstock.v1.run_event_pb2 import RunEvent, SignalTaken
from penstock.v1.run_log_pb2 import (
    AppendOutcome,
    RecordOutcome,
    TailEventsRequest,
    TailEventsResponse,
    TailInclude,
    TailOpen,
)
from penstock.v1.run_pb2 import Content, OnBusy, RunState, Signal
from penstock.wire.errors import ResourceExhausted
from tests.state import entries as e
from tests.state.house import House, error_of

APPROVAL = Signal(approval=Signal.Approval(step_id="gate", approved=True))
INPUT = Signal(input=Signal.Input(name="more", content=[Content(text="and this")]))
CANCEL = Signal(cancel=Signal.Cancel(reason="enough"))


async def send(house: House, signal_id: str, signal: Signal, run_id: str = "run-1") -> SendSignalResponse:
    return await house.owner.SendSignal(
        SendSignalRequest(tenant=e.TENANT, run_id=run_id, signal_id=signal_id, signal=signal)
    )


async def test_signals_of_all_kinds_reach_the_owner_in_order(house: House) -> None:
    """Those sent before its tail opened and those after, each under its number, without any credit."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    sent = [("a", APPROVAL), ("b", INPUT), ("c", CANCEL), ("d", INPUT)]
    for name, signal in sent[:2]:
        await send(house, name, signal)
    call = house.log.TailEvents()
    heard: dict[int, tuple[str, Signal]] = {}
    try:
        include = [TailInclude.TAIL_INCLUDE_SIGNALS]
        opening = TailOpen(tail_id=1, tenant=e.TENANT, run_id="run-1", include=include)
        async with asyncio.timeout(10):
            await call.write(TailEventsRequest(opens=[opening]))
            for name, signal in sent[2:]:
                await send(house, name, signal)
            while len(heard) < len(sent):
                response = await call.read()
                assert isinstance(response, TailEventsResponse), "the stream has ended"
                for batch in response.batches:
                    for each in batch.signals:
                        # One may come again, but none before those with lower numbers.
                        assert each.signal_number <= len(heard) + 1
                        heard[each.signal_number] = (each.signal_id, each.signal)
    finally:
        call.cancel()
    assert list(heard.items()) == list(enumerate(sent, 1))


async def test_a_signal_is_delivered_once_by_its_id(house: House) -> None:
    """A repeat gets the first outcome and number, also after the owner has taken it in, and after the run's end."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    first = await send(house, "a", APPROVAL)
    assert (first.outcome, first.signal_number) == (SignalOutcome.SIGNAL_OUTCOME_SENT, 1)
    taken = RunEvent(signal=SignalTaken(signal_number=1, signal=APPROVAL))
    result = await e.append_as_owner(house, "run-1", taken)
    assert result.outcome == AppendOutcome.APPEND_OUTCOME_APPENDED
    assert not (await e.run_record(house, "run-1")).pending_signals
    assert (await send(house, "a", APPROVAL)).signal_number == 1
    await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
    assert (await send(house, "a", APPROVAL)).outcome == SignalOutcome.SIGNAL_OUTCOME_SENT
    assert (await send(house, "b", APPROVAL)).outcome == SignalOutcome.SIGNAL_OUTCOME_RUN_FINISHED


async def test_a_queued_run_keeps_its_signals_for_the_first_owner(house: House) -> None:
    """Only a cancel ends it."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", owner=""))
    assert (await send(house, "a", INPUT)).outcome == SignalOutcome.SIGNAL_OUTCOME_SENT
    (claimed,) = (await e.claim(house)).runs
    assert [signal.signal_id for signal in claimed.record.pending_signals] == ["a"]
    assert (await send(house, "c", CANCEL)).outcome == SignalOutcome.SIGNAL_OUTCOME_RUN_ENDED


async def test_what_waits_for_an_owner_is_bounded_and_a_cancel_always_fits(house: House) -> None:
    """The next signal is over the limit; the first cancel is not, the second one is."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    await asyncio.gather(*(send(house, f"s{number}", APPROVAL) for number in range(1000)))
    for name, signal in (("more", APPROVAL), ("cancel-1", CANCEL), ("cancel-2", CANCEL)):
        if name == "cancel-1":
            assert (await send(house, name, signal)).signal_number == 1001
            continue
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await send(house, name, signal)
        error = error_of(raised.value)
        assert isinstance(error, ResourceExhausted)
        assert error.reason == "SIGNALS_PENDING"


async def test_large_signals_are_bounded_by_their_bytes(house: House) -> None:
    """So that a run's record, which holds them, always fits into a message; once taken in they make room."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    large = Signal(input=Signal.Input(name="more", content=[Content(text="x" * 250_000)]))
    for name in ("a", "b"):
        assert (await send(house, name, large)).outcome == SignalOutcome.SIGNAL_OUTCOME_SENT
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await send(house, "c", large)
    error = error_of(raised.value)
    assert isinstance(error, ResourceExhausted)
    assert error.metadata["run_id"] == "run-1"
    taken = RunEvent(signal=SignalTaken(signal_number=1, signal=APPROVAL))
    await e.append_as_owner(house, "run-1", taken)
    assert (await send(house, "c", large)).signal_number == 3


async def test_a_run_is_interrupted_also_when_its_owner_takes_nothing_in(house: House) -> None:
    """One cancel waits for the owner, and that is enough: whoever interrupts next gets its place in the queue."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", session="s"))
    await asyncio.gather(*(send(house, f"s{number}", APPROVAL) for number in range(1000)))
    for run_id in ("run-2", "run-3"):
        entry = e.record_entry(run_id, session="s", owner="", on_busy=OnBusy.ON_BUSY_INTERRUPT)
        result = await e.record(house, entry)
        assert result.outcome == RecordOutcome.RECORD_OUTCOME_QUEUED
    assert (await e.run_record(house, "run-1")).pending_signals[-1].signal.HasField("cancel")
