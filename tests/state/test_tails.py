"""Following runs: one stream for many, with credit for each."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import grpc
import grpc.aio
import pytest

from penstock.state.settings import StateSettings
from penstock.v1 import run_log_pb2 as pb
from penstock.v1.run_pb2 import RunState
from penstock.wire.errors import DataLoss, InvalidArgument, NotFound
from penstock.wire.status import from_status
from tests.state import entries as e
from tests.state.house import House, error_of, open_house
from tests.state.tail_reader import PLENTY, reading
from tests.stores.cluster import PRIMARIES
from tests.stores.kinds import Kind

LIFECYCLE, SIGNALS = pb.TailInclude.TAIL_INCLUDE_LIFECYCLE, pb.TailInclude.TAIL_INCLUDE_SIGNALS


async def test_a_tail_gets_what_is_there_and_what_comes_until_the_end(house: House) -> None:
    """The first batch carries the run; the last one closes the tail after run_finished."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    async with reading(house) as reader:
        await reader.open(1, "run-1")
        await reader.until(1, 2)
        first = reader.batches[1][0]
        assert (first.run.run_id, first.run.state, first.generation) == ("run-1", RunState.RUN_STATE_RUNNING, 1)
        assert not first.run.input
        assert not first.run.HasField("plan")
        await e.append_events(house, "run-1", e.token(), e.step_finished(), e.run_finished(output_step="main"))
        last = await reader.closed(1)
        assert not last.HasField("error")
        assert reader.sequences(1) == [1, 2, 3, 4, 5]
        assert sum(batch.HasField("run") for batch in reader.batches[1]) == 1
        await reader.open(2, "run-1", after_sequence=5)
        assert (await reader.closed(2)).run.state == RunState.RUN_STATE_SUCCEEDED


async def test_a_tail_goes_on_from_any_cursor(house: House) -> None:
    """From N come N+1 and all that follow, once each, wherever entries begin and end."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    for size in (1, 3, 2):
        await e.append_events(house, "run-1", *[e.token()] * size)
    async with reading(house) as reader:
        for after in range(8):
            await reader.open(after + 1, "run-1", after_sequence=after)
            await reader.until(after + 1, 8)
            assert reader.sequences(after + 1) == list(range(after + 1, 9))


async def test_credit_bounds_what_a_tail_sends(house: House) -> None:
    """No credit: the run alone. Any credit: at least one event. Then as many as fit, and no more."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    await e.append_events(house, "run-1", *[e.token("x" * 1000) for _ in range(10)])
    async with reading(house) as reader:
        await reader.open(1, "run-1", credit=0, after_sequence=2)
        await reader.next()
        assert reader.batches[1][0].HasField("run")
        assert reader.sequences(1) == []
        await reader.give(1, 1)
        await reader.next()
        assert reader.sequences(1) == [3]
        debt = reader.batches[1][-1].used_bytes - 1
        await reader.give(1, debt + 2500)
        await reader.next()
        assert reader.sequences(1) == [3, 4, 5]
        await reader.give(1, PLENTY)
        await reader.until(1, 12)
        assert reader.sequences(1) == list(range(3, 13))


async def test_a_stuck_reader_holds_no_other_up(house: House) -> None:
    """A tail without credit beside one with it: the second is read to its end."""
    await e.lease(house)
    for run_id in ("run-1", "run-2"):
        await e.record(house, e.record_entry(run_id))
    async with reading(house) as reader:
        await reader.open(1, "run-1", credit=1)
        await reader.open(2, "run-2")
        for _ in range(20):
            await e.append_events(house, "run-1", e.token("x" * 10_000))
            await e.append_events(house, "run-2", e.token())
        await e.append_as_owner(house, "run-2", e.run_finished(RunState.RUN_STATE_FAILED))
        await reader.closed(2)
        assert reader.sequences(2) == list(range(1, 24))
        assert reader.sequences(1) == [1]


async def test_runs_that_one_commit_touched_share_a_response(house: House, kind: Kind) -> None:
    """Batching across runs is what makes a stream cheap. In a Cluster each server commits by itself."""
    await e.lease(house)
    servers = PRIMARIES if kind.store == "cluster" else 1
    names = [f"run-{number}" for number in range(5 * servers)]
    for name in names:
        await e.record(house, e.record_entry(name))
    async with reading(house) as reader:
        for number, name in enumerate(names):
            await reader.open(number, name)
            await reader.until(number, 2)
        await e.append(house, *[e.append_entry(name, e.token()) for name in names])
        responses = 0
        while any(3 not in reader.sequences(number) for number in range(len(names))):
            await reader.next()
            responses += 1
        assert responses <= servers


async def test_a_long_log_comes_in_pieces(house: House) -> None:
    """Responses stop near 1 MiB, so that no reader has to take more at once."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    for _ in range(8):
        await e.append_events(house, "run-1", e.token("x" * 500_000))
    async with reading(house) as reader:
        await reader.open(1, "run-1", credit=1 << 30)
        await reader.until(1, 10)
        assert reader.sequences(1) == list(range(1, 11))
        assert max(response.ByteSize() for response in reader.responses) < 1_200_000


async def test_lifecycle_leaves_out_tokens_and_progress(house: House) -> None:
    """They cost no credit, and their runs still close."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    await e.append_events(house, "run-1", *[e.token()] * 50)
    await e.append_events(house, "run-1", e.token(), e.step_finished(), e.run_finished(output_step="main"))
    async with reading(house) as reader:
        await reader.open(1, "run-1", include=[LIFECYCLE])
        await reader.closed(1)
        assert reader.sequences(1) == [1, 2, 54, 55]
    assert len(await e.read_log(house, "run-1", include=[LIFECYCLE])) == 4


async def test_the_owner_hears_signals_in_order_without_credit(house: House) -> None:
    """Those sent before and after it began to listen, each once on one stream, again on the next."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    await e.cancel(house, "run-1", "signal-a")
    async with reading(house) as reader:
        await reader.open(1, "run-1", include=[LIFECYCLE, SIGNALS], credit=0)
        await reader.next()
        await e.cancel(house, "run-1", "signal-b")
        await reader.next()
        heard = [signal.signal_id for batch in reader.batches[1] for signal in batch.signals]
        assert heard == ["signal-a", "signal-b"]
    async with reading(house) as reader:
        await reader.open(1, "run-1", include=[SIGNALS], credit=0)
        await reader.next()
        assert [signal.signal_number for signal in reader.batches[1][0].signals] == [1, 2]
        await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_CANCELLED))
        await reader.closed(1)


async def test_a_tail_that_fails_leaves_the_others_alone(house: House) -> None:
    """An unknown run and a cursor beyond the end close their tails with the status for the caller."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    async with reading(house) as reader:
        await reader.open(1, "run-9")
        assert isinstance(from_status((await reader.closed(1)).error), NotFound)
        await reader.open(2, "run-1", after_sequence=3)
        assert isinstance(from_status((await reader.closed(2)).error), InvalidArgument)
        await reader.open(3, "run-1")
        await reader.until(3, 2)


async def test_a_cursor_of_an_absurd_generation_fails_its_own_tail_alone(house: House) -> None:
    """The largest number there is closes its tail with DATA_LOSS; whoever shares the stream reads on."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    async with reading(house) as reader:
        await reader.open(1, "run-1", generation=2**64 - 1)
        assert isinstance(from_status((await reader.closed(1)).error), DataLoss)
        await reader.open(2, "run-1")
        await reader.until(2, 2)


async def test_news_of_many_failed_tails_come_in_pieces(url: str) -> None:
    """Failures count towards the size of a response as events do, so that no message outgrows its limit."""
    settings = StateSettings(url=url, max_response_bytes=1000)
    async with open_house(settings) as house, reading(house) as reader:
        opens = [pb.TailOpen(tail_id=number, tenant=e.TENANT, run_id="run-9") for number in range(50)]
        await reader.call.write(pb.TailEventsRequest(opens=opens))
        for number in range(50):
            await reader.closed(number)
        assert max(response.ByteSize() for response in reader.responses) < 2000


async def test_who_does_not_read_what_failed_is_not_listened_to(settings: StateSettings) -> None:
    """Failures that nobody takes don't fill the memory: the requests behind them wait, and each has its answer."""
    answered = 0
    small = replace(settings, max_response_bytes=20_000)
    async with open_house(small) as house, reading(house) as reader, asyncio.TaskGroup() as group:
        wrong = [pb.TailOpen(tail_id=number, tenant=e.TENANT, run_id="") for number in range(1000)]

        async def ask() -> None:
            nonlocal answered
            for _ in range(12):
                await reader.call.write(pb.TailEventsRequest(opens=wrong))
                answered += 1

        asking = group.create_task(ask())
        await asyncio.wait([asking], timeout=1.0)
        assert not asking.done()
        held_up = answered
        read = 0
        while read < 12_000:
            response = await reader.call.read()
            assert isinstance(response, pb.TailEventsResponse)
            read += len(response.batches)
    assert held_up < 10
    assert answered == 12


async def test_a_stream_ends_when_its_reader_has_asked_for_all_and_got_it(house: House) -> None:
    """Half-closing after the last request lets the open tails come to their end."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    async with reading(house) as reader:
        await reader.open(1, "run-1")
        await reader.call.done_writing()
        await reader.until(1, 2)
        await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
        await reader.closed(1)
        assert await reader.call.read() is grpc.aio.EOF
        assert await reader.call.code() is grpc.StatusCode.OK


async def test_a_number_that_is_in_use_ends_the_stream(house: House) -> None:
    """Nobody could tell the two tails apart."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    async with reading(house) as reader:
        await reader.open(1, "run-1")
        await reader.open(1, "run-1")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await reader.until(1, 99)
        assert isinstance(error_of(raised.value), InvalidArgument)


async def test_a_wrong_request_is_answered_also_while_the_reader_is_behind(house: House) -> None:
    """What was being written when it came arrives whole, and after it the status: nobody waits for ever."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    await e.append_events(house, "run-1", e.token("x" * 700_000))
    async with reading(house) as reader:
        await reader.open(1, "run-1")
        await reader.call.initial_metadata()  # the first response is on its way, and more than a connection holds
        await reader.open(1, "run-1")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await reader.until(1, 99)
        assert isinstance(error_of(raised.value), InvalidArgument)


async def test_a_silent_stream_shows_that_it_lives(url: str) -> None:
    """An empty response comes as a heartbeat."""
    async with open_house(StateSettings(url=url, heartbeat=0.01)) as house, reading(house) as reader:
        assert not (await reader.next()).batches


async def test_reading_without_following_stops_at_what_is_there(house: House) -> None:
    """And following goes on to the end of the run."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    assert [event.sequence for event in await e.read_log(house, "run-1", after=1)] == [2]
    assert await e.read_log(house, "run-1", after=2) == []
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        following = group.create_task(e.read_log(house, "run-1", follow=True))
        for _ in range(10):
            await e.append_events(house, "run-1", e.token())
        await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
    assert [event.sequence for event in following.result()] == list(range(1, 14))


@pytest.mark.parametrize("turns", range(25))
async def test_a_reader_who_comes_between_a_write_and_its_commit_hears_of_it(house: House, turns: int) -> None:
    """However many turns of the loop lie between an append and a reader's coming, the event reaches the reader.

    Once a run with news was noted only if somebody watched it by then: a reader who came between the write and the
    commit had read the log without the news, and was never woken for them.
    """
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(e.append_events(house, "run-1", e.token()))
        for _ in range(turns):
            await asyncio.sleep(0)
        request = pb.ReadEventsRequest(tenant=e.TENANT, run_id="run-1", after_sequence=2, follow=True)
        call = house.log.ReadEvents(request)
        async for response in call:
            if response.events:
                break
        call.cancel()


async def test_many_writers_leave_no_gap_and_every_reader_sees_the_same(house: House) -> None:
    """Twenty concurrent writers of one attempt, and readers that begin in the middle of it."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))

    async def write(writer: str) -> None:
        for number in range(1, 11):
            await e.append_events(house, "run-1", e.token(f"{writer}.{number}"), writer=writer, number=number)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        early = group.create_task(e.read_log(house, "run-1", follow=True))
        async with asyncio.TaskGroup() as writers:
            for writer in range(20):
                writers.create_task(write(f"writer-{writer}"))
            late = group.create_task(e.read_log(house, "run-1", follow=True))
        await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
    assert early.result() == late.result()
    assert [event.sequence for event in early.result()] == list(range(1, 204))
    texts = [event.token.text for event in early.result() if event.HasField("token")]
    assert len(set(texts)) == 200
    for writer in range(20):
        own = [text for text in texts if text.startswith(f"writer-{writer}.")]
        assert own == [f"writer-{writer}.{number}" for number in range(1, 11)]


async def test_credit_beyond_any_log_is_refused(house: House) -> None:
    """A sum that outgrows 2^62 ends the stream with the field's name, as a negative one does; at first, the tail."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    for first, more in ((1, 2**62), (2**62, 1), (0, -1), (2**62 - 1, 2**63 - 1)):
        async with reading(house) as reader:
            await reader.open(1, "run-1", credit=first, after_sequence=2)
            await reader.next()
            await reader.give(1, more)
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await reader.until(1, 99)
            error = error_of(raised.value)
            assert isinstance(error, InvalidArgument)
            assert [violation.field for violation in error.violations] == ["credits.credit_bytes"]
    async with reading(house) as reader:
        await reader.open(1, "run-1", credit=2**62 - 10)
        await reader.next()
        await reader.give(1, 10)  # what the events have cost made room
        for tail_id, wrong in ((2, {"credit": 2**62 + 1}), (3, {"credit": -1}), (4, {"include": [9]})):
            await reader.open(tail_id, "run-1", **wrong)
            error = from_status((await reader.closed(tail_id)).error)
            assert isinstance(error, InvalidArgument)
            assert error.violations[0].field.startswith("opens.")
        await e.append_events(house, "run-1", e.token())
        await reader.until(1, 3)
