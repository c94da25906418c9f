"""What is not acknowledged comes again: at least once to each group, and nothing is lost."""

import asyncio
from itertools import count

from google.protobuf.duration_pb2 import Duration

from penstock.state.settings import StateSettings
from penstock.state.topic_store import Demand, Member
from penstock.v1.event_pb2 import AcknowledgeRequest, FailedDelivery
from tests.state.house import House, open_house
from tests.state.in_time import Pace, in_time
from tests.state.subscriber import publish, subscriber

SECOND = Duration(seconds=1)


async def test_an_answer_that_nobody_waits_for_is_told(house: House) -> None:
    """Positions of strangers, of the future and answered ones come back; the others are taken all the same."""
    await publish(house.events, "x", "y")
    async with subscriber(house.events, group="g", from_position=0) as reader:
        await reader.some(2)
        assert await reader.acknowledge(1, 7) == [7]
        assert await reader.acknowledge(1, 2) == [1]
        assert await reader.fail(2, "late") == [2]
    request = AcknowledgeRequest(
        tenant="a", topic="nowhere", group="g", positions=[1], failed=[FailedDelivery(position=2)]
    )
    assert list((await house.events.Acknowledge(request)).unknown_positions) == [1, 2]


async def test_an_event_that_failed_comes_again_at_once(house: House) -> None:
    """A failure does not wait for the visibility timeout, and another member may get it."""
    await publish(house.events, "x")
    async with subscriber(
        house.events, group="g", from_position=0, visibility_timeout=Duration(seconds=3600)
    ) as reader:
        first = await reader.next()
        await reader.fail(first.position, "could not")
        again = await reader.next()
        assert (again.position, again.delivery) == (1, 2)


async def test_an_event_that_failed_may_go_to_another_member(house: House) -> None:
    """One that has room for it gets it at once, though the first does not ask for more."""
    await publish(house.events, "x")
    silent = Member("a", "t", "g", "stream-1")
    await house.layer.store.topics.join(silent, 0)
    await house.layer.store.topics.take(silent, Demand(1, 1_000_000, 3_600_000_000))
    async with subscriber(house.events, group="g") as other, subscriber(house.events, group="h") as witness:
        await publish(house.events, "y")
        assert [got.position for got in (await other.next(), await witness.next())] == [2, 2]
        assert await other.fail(1, "no") == []
        assert (await other.next()).position == 1


async def test_an_event_without_an_answer_comes_again_after_its_time(house: House) -> None:
    """After the visibility timeout a silent member's event goes to whoever has room, itself included."""
    await publish(house.events, "x")
    async with subscriber(
        house.events, group="g", from_position=0, visibility_timeout=SECOND, max_unacknowledged=1
    ) as reader:
        assert (await reader.next()).delivery == 1
        assert (await reader.next()).delivery == 2
        await reader.acknowledge(1)
        await publish(house.events, "y")
        got = await reader.next()
        while got.position == 1:  # on a slow machine its time was over before the answer came
            got = await reader.next()
        assert got.position == 2


async def test_a_member_that_goes_gives_its_events_to_the_others_at_once(house: House) -> None:
    """The oldest counts as delivered; the others were waiting behind it."""
    await publish(house.events, "first")
    async with subscriber(house.events, group="g", from_position=0, max_unacknowledged=1) as stayer:
        await stayer.next()
        async with subscriber(house.events, group="g") as leaver:
            await publish(house.events, "l1", "l2", "l3")
            assert [got.position for got in await leaver.some(3)] == [2, 3, 4]
            await stayer.acknowledge(1)
        for position, delivery in ((2, 2), (3, 1), (4, 1)):
            got = await stayer.next()
            assert (got.position, got.delivery) == (position, delivery)
            await stayer.acknowledge(position)


async def test_an_answer_gives_what_waits_behind_it_time(house: House) -> None:
    """Events behind the one that a slow member is at are not taken for lost while it goes on answering."""
    topics = house.layer.store.topics
    await publish(house.events, *(f"e{n}" for n in range(1, 5)))
    visibility = 0.9
    demand = Demand(max_unacknowledged=4, max_bytes=1_000_000, visibility_us=int(visibility * 1e6))

    async def slow(pace: Pace, number: int) -> None:
        member = Member("a", "t", f"g{number}", "stream-1")
        await topics.join(member, 0)
        pace.step()
        await topics.take(member, demand)
        for position in (1, 2, 3):
            await asyncio.sleep(0.35)  # the time that it is at one: three of these are longer than its visibility
            assert (await topics.take(member, demand)).events == []
            pace.step()
            assert await topics.acknowledge(_answer(position, member.group)) == []
        assert (await topics.take(member, demand)).events == []
        assert await topics.acknowledge(_answer(4, member.group)) == []

    await in_time(visibility, slow)


async def test_many_members_that_fail_and_go_lose_nothing(house: House) -> None:
    """Under concurrent publishing every event is acknowledged once by somebody, whatever members do."""
    total = 120
    done: list[int] = []
    complete = asyncio.Event()
    # A failure and so many streams that end leave each event, whatever meets in it, a fifth delivery.
    goings = iter(range(3))

    async def work(name: int) -> None:
        while True:
            async with subscriber(house.events, group="g", from_position=0, max_unacknowledged=7) as reader:
                for turn in count(1):
                    for got in (await reader.message()).events:
                        if (got.position + turn + name) % 5 == 0 and got.delivery < 2:
                            await reader.fail(got.position, "later")
                        else:
                            unknown = await reader.acknowledge(got.position)
                            done.extend({got.position}.difference(unknown))
                    if len(done) >= total:
                        complete.set()
                    if turn == 5 and next(goings, None) is not None:
                        break

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        workers = [group.create_task(work(name)) for name in range(4)]
        for first in range(0, total, 10):
            await publish(house.events, *(f"e{n}" for n in range(first, first + 10)))
        await complete.wait()
        for worker in workers:
            worker.cancel()
    assert sorted(done) == list(range(1, total + 1))


async def test_what_a_stream_had_is_redelivered_after_a_restart(settings: StateSettings) -> None:
    """The state layer's end is nobody's failure: nothing is lost, and no delivery is counted."""
    async with open_house(settings) as house:
        await publish(house.events, "x", "y")
        member = Member("a", "t", "g", "stream-1")
        await house.layer.store.topics.join(member, 0)
        taken = await house.layer.store.topics.take(member, Demand(10, 1_000_000, 3_600_000_000))
        assert len(taken.events) == 2
        await house.layer.store.topics.acknowledge(_answer(1))
    async with open_house(settings) as house, subscriber(house.events, group="g") as reader:
        assert await publish(house.events, "x", "z") == [1, 3]
        got = await reader.some(2)
        assert [(one.position, one.event.event_id) for one in got] == [(2, "y"), (3, "z")]
        assert got[0].delivery == 1


def _answer(position: int, group: str = "g") -> AcknowledgeRequest:
    return AcknowledgeRequest(tenant="a", topic="t", group=group, positions=[position])
