"""Topics: published once, delivered at least once to each group, and buried after five deliveries."""

import asyncio
from dataclasses import replace
from itertools import count

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from penstock.state.settings import StateSettings
from penstock.state.topic_store import Demand, Member
from penstock.v1.event_pb2 import (
    AcknowledgeRequest,
    DeliveredEvent,
    FailedDelivery,
    PublishRequest,
    SubscribeRequest,
)
from penstock.wire.errors import InvalidArgument, NotFound
from tests.state.admin import administered
from tests.state.house import House, error_of, open_house
from tests.state.in_time import Pace, in_time
from tests.state.subscriber import PATIENCE, Subscriber, event, publish, subscriber

SECOND = Duration(seconds=1)


async def test_events_have_positions_from_one_without_a_gap(house: House) -> None:
    """Concurrent publishers share the positions from 1 on, each event of a call after the one before."""
    batches = await asyncio.gather(*(publish(house.events, f"{n}-x", f"{n}-y", f"{n}-z") for n in range(20)))
    assert sorted(position for batch in batches for position in batch) == list(range(1, 61))
    assert all(batch == list(range(batch[0], batch[0] + 3)) for batch in batches)


async def test_an_event_is_published_once_by_its_id(house: House) -> None:
    """A repeated publish, in whole, in part or within one call, gives the first positions and adds nothing."""
    assert await publish(house.events, "x", "y") == [1, 2]
    assert await publish(house.events, "x", "y") == [1, 2]
    assert await publish(house.events, "y", "z", "z", "x") == [2, 3, 3, 1]
    async with subscriber(house.events, from_position=0) as reader:
        assert [got.event.event_id for got in await reader.some(3)] == ["x", "y", "z"]
        assert reader.first.next_position == 1


async def test_an_event_arrives_as_it_was_published_with_the_store_s_time(house: House) -> None:
    """Payload, correlation, reply address, deadline and metadata are untouched; the time is the store's."""
    sent = event(
        "x",
        payload_json='{"big": 123456789012345678901234567890, "text": "Ü"}',
        correlation_id="c-1",
        reply_topic="reply.1",
        deadline_time=Timestamp(seconds=5),
        metadata={"k": "v"},
    )
    await house.events.Publish(PublishRequest(tenant="a", topic="t", events=[sent]))
    async with subscriber(house.events, from_position=0) as reader:
        got = await reader.next()
    assert got.event.time.seconds > 1_600_000_000
    got.event.ClearField("time")
    assert got.event == sent
    assert (got.position, got.delivery, got.dead_letter_reason) == (1, 1, "")


async def test_a_subscriber_without_a_start_gets_what_is_published_from_then_on(house: House) -> None:
    """The first message says that the group stands: what is published after it arrives, what was before does not."""
    await publish(house.events, "before")
    async with subscriber(house.events) as reader:
        assert reader.first.next_position == 2
        await publish(house.events, "after")
        assert (await reader.next()).event.event_id == "after"


async def test_a_late_subscriber_gets_all_that_is_kept(house: House) -> None:
    """Position 0 is the oldest event kept; another position begins there."""
    await publish(house.events, *(f"e{n}" for n in range(1, 201)))
    async with subscriber(house.events, from_position=0, max_unacknowledged=1000) as reader:
        assert [got.position for got in await reader.some(200)] == list(range(1, 201))
    async with subscriber(house.events, from_position=150, max_unacknowledged=1000) as reader:
        assert [got.position for got in await reader.some(51)] == list(range(150, 201))


async def test_a_group_cannot_begin_in_the_future(house: House) -> None:
    """The next position may be asked for, and one after it is refused naming the field."""
    await publish(house.events, "x")
    async with subscriber(house.events, from_position=2) as reader:
        assert reader.first.next_position == 2
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async with subscriber(house.events, from_position=3):
            pass
    assert [violation.field for violation in _invalid(raised.value).violations] == ["from_position"]


async def test_members_of_a_group_share_its_events_and_groups_do_not(house: House) -> None:
    """Each event goes to one member of each group."""
    async with (
        subscriber(house.events, group="g", max_unacknowledged=2) as one,
        subscriber(house.events, group="g", max_unacknowledged=2) as two,
        subscriber(house.events, group="h") as other,
    ):
        await publish(house.events, "w", "x", "y", "z")
        shares = await asyncio.gather(one.some(2), two.some(2), other.some(4))
        assert sorted(got.position for share in shares[:2] for got in share) == [1, 2, 3, 4]
        assert [got.position for got in shares[2]] == [1, 2, 3, 4]


async def test_a_group_goes_on_where_it_was(house: House) -> None:
    """What was acknowledged stays so without a stream, and a position is only a new group's affair."""
    await publish(house.events, "x", "y", "z")
    async with subscriber(house.events, group="g", from_position=0) as reader:
        await reader.some(3)
        assert await reader.acknowledge(1, 3) == []
    async with subscriber(house.events, group="g", from_position=1) as reader:
        again = await reader.next()
        assert (again.position, again.delivery) == (2, 2)
        await publish(house.events, "new")
        assert (await reader.next()).position == 4


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


async def test_what_is_out_is_bounded(house: House) -> None:
    """A member has no more events than it said until it answers, and then gets as many as it answered."""
    await publish(house.events, *(f"e{n}" for n in range(6)))
    async with subscriber(house.events, group="g", from_position=0, max_unacknowledged=2) as reader:
        assert [got.position for got in await reader.some(2)] == [1, 2]
        await reader.acknowledge(2)
        assert (await reader.next()).position == 3
        await reader.acknowledge(1, 3)
        assert [got.position for got in await reader.some(2)] == [4, 5]


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


async def test_after_five_deliveries_an_event_is_a_dead_letter_with_its_reason(house: House) -> None:
    """The event leaves its group for the topic that the rule names, as it was, with the last failure's words."""
    await publish(house.events, "poison", "fine")
    async with subscriber(house.events, group="g", from_position=0, max_unacknowledged=1) as reader:
        for delivery in range(1, 6):
            got = await reader.next()
            assert (got.event.event_id, got.delivery) == ("poison", delivery)
            await reader.fail(1, f"no {delivery}")
        assert (await reader.next()).event.event_id == "fine"
        assert await reader.acknowledge(1) == [1]
    async with subscriber(house.events, topic="t.g.dead", from_position=0) as undertaker:
        dead = await undertaker.next()
    assert (dead.position, dead.event.event_id, dead.event.payload_json) == (1, "poison", "{}")
    assert dead.dead_letter_reason == "delivered 5 times to group g of topic t (position 1); the last time: no 5"


async def test_what_waits_behind_a_dead_letter_comes_after_it(house: House) -> None:
    """An event that is buried takes no room, also of a member that has room for one only."""
    await publish(house.events, "poison", "fine")
    for delivery in range(1, 6):
        # A stream that goes gives back both at once, so that the next can't get the one without the other.
        async with subscriber(house.events, group="g", from_position=0, max_unacknowledged=2) as reader:
            assert [(got.position, got.delivery) for got in await reader.some(2)] == [(1, delivery), (2, 1)]
    async with subscriber(house.events, group="g", max_unacknowledged=1) as reader:
        got = await reader.next()
        assert (got.position, got.delivery) == (2, 1)


async def test_each_group_has_dead_letters_of_its_own(house: House) -> None:
    """The same event may be one group's dead letter twice under one name, and another group's not at all."""
    for name in ("g", "h"):
        await publish(house.events, "poison")
        async with subscriber(house.events, group=name, from_position=0, max_unacknowledged=1) as reader:
            for _ in range(5):
                await reader.fail((await reader.next()).position, "no")
            await publish(house.events, f"after-{name}")
            await reader.next()
    for name in ("g", "h"):
        async with subscriber(house.events, topic=f"t.{name}.dead", from_position=0) as undertaker:
            assert f"group {name} " in (await undertaker.next()).dead_letter_reason


async def test_silence_and_lost_streams_are_told_as_reasons(house: House) -> None:
    """A dead letter says what became of its last delivery: its time passed, or its stream ended."""
    topics = house.layer.store.topics
    await publish(house.events, "x", "y")
    member = Member("a", "t", "g", "stream-1")
    await topics.join(member, 0)
    short = Demand(max_unacknowledged=1, max_bytes=1, visibility_us=1)
    for delivery in range(1, 6):
        assert [(got.position, got.delivery) for got in (await topics.take(member, short)).events] == [(1, delivery)]
    long = replace(short, visibility_us=3_600_000_000)
    for delivery in range(1, 6):
        assert [(got.position, got.delivery) for got in (await topics.take(member, long)).events] == [(2, delivery)]
        await topics.leave(member)
        member = replace(member, stream=f"next-{delivery}")
        await topics.join(member, None)
    assert (await topics.take(member, long)).events == []
    async with subscriber(house.events, topic="t.g.dead", from_position=0) as undertaker:
        reasons = [got.dead_letter_reason.rpartition(": ")[2] for got in await undertaker.some(2)]
    assert reasons == ["it was not acknowledged in time", "its subscriber's stream ended"]


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


async def test_a_group_of_one_s_own_ends_with_its_stream_and_leaves_nothing(house: House) -> None:
    """Its name is made up; when the stream has ended nobody waits for its answers."""
    async with subscriber(house.events) as reader:
        await publish(house.events, "x")
        await reader.next()
        own = reader.first.group
        assert own.startswith("~")
    left = Subscriber(house.events, SubscribeRequest(tenant="a", topic="t"), None)
    left.first.group = own
    async with asyncio.timeout(PATIENCE):
        while await left.acknowledge(1) != [1]:
            pass
    async with subscriber(house.events) as another:
        assert another.first.group != own


async def test_poison_in_a_group_of_one_s_own_is_dropped(house: House) -> None:
    """There is nobody to look after its dead letters; the next event is not held up."""
    async with subscriber(house.events, max_unacknowledged=1) as reader:
        await publish(house.events, "poison", "fine")
        for _ in range(5):
            await reader.fail((await reader.next()).position, "no")
        assert (await reader.next()).event.event_id == "fine"


async def test_a_message_of_a_stream_stays_under_its_size(house: House) -> None:
    """Big events come in several messages, and one that is bigger than a message should be comes alone."""
    payload = '"' + "x" * 700_000 + '"'
    for name in ("x", "y", "z"):
        request = PublishRequest(tenant="a", topic="t", events=[event(name, payload_json=payload)])
        await house.events.Publish(request)
    async with subscriber(house.events, from_position=0) as reader:
        for name in ("x", "y", "z"):
            assert [got.event.event_id for got in (await reader.message()).events] == [name]


async def test_dead_letters_with_long_reasons_come_in_several_messages(house: House) -> None:
    """So that whoever reads many at once gets them all; and an export with them fits into its messages too."""
    many = 500
    await publish(house.events, *(f"e{number}" for number in range(many)))
    reason = "\N{COLLISION SYMBOL}" * 1024
    async with subscriber(house.events, group="g", from_position=0, max_unacknowledged=many) as reader:
        for _ in range(5):
            await reader.some(many)
            failed = [FailedDelivery(position=position, reason=reason) for position in range(1, many + 1)]
            await house.events.Acknowledge(AcknowledgeRequest(tenant="a", topic="t", group="g", failed=failed))
        async with (
            subscriber(house.events, topic="t.g.dead", from_position=0, max_unacknowledged=many) as dead,
            asyncio.timeout(10),
        ):
            found: list[DeliveredEvent] = []
            while len(found) < many:
                message = await dead.message()
                assert message.ByteSize() < 1.2 * 1024 * 1024
                found += message.events
    async with administered(house.layer) as admin:
        records = await admin.export()
        assert max(record.ByteSize() for record in records) < 1.2 * 1024 * 1024


async def test_a_reply_address_is_made_by_its_subscriber_only(house: House) -> None:
    """Publishing to an address that nobody has made gets NOT_FOUND; subscribed to, it is a topic like any other."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await publish(house.events, "x", topic="reply.1")
    refused = error_of(raised.value)
    assert isinstance(refused, NotFound)
    assert refused.reason == "REPLY_ADDRESS_GONE"
    async with subscriber(house.events, topic="reply.1") as reader:
        await publish(house.events, "x", topic="reply.1")
        assert (await reader.next()).event.event_id == "x"


async def test_a_shared_group_at_a_reply_address_has_dead_letters(house: House) -> None:
    """Poison leaves it as it leaves any other group, and ends nobody's stream."""
    async with subscriber(house.events, topic="reply.1", group="g", max_unacknowledged=1) as reader:
        await publish(house.events, "poison", "fine", topic="reply.1")
        for _ in range(5):
            await reader.fail((await reader.next()).position, "no")
        assert (await reader.next()).event.event_id == "fine"
        async with subscriber(house.events, topic="reply.1.g.dead", from_position=0) as undertaker:
            assert (await undertaker.next()).event.event_id == "poison"


async def test_no_tenant_sees_another_s_topics(house: House) -> None:
    """Same topic, group and ids: positions, deliveries and answers are apart."""
    await publish(house.events, "x", tenant="a")
    await publish(house.events, "y", "x", tenant="b")
    async with (
        subscriber(house.events, tenant="a", group="g", from_position=0) as ours,
        subscriber(house.events, tenant="b", group="g", from_position=0) as theirs,
    ):
        assert (await ours.next()).event.event_id == "x"
        assert [got.event.event_id for got in await theirs.some(2)] == ["y", "x"]
        assert await ours.acknowledge(1, 2) == [2]
        assert await theirs.acknowledge(1, 2) == []


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


async def test_a_topic_keeps_so_many_events_and_tells_whom_it_failed(settings: StateSettings) -> None:
    """The oldest go first; a group that had not got them goes on at the oldest kept and hears how many it missed."""
    async with open_house(replace(settings, max_topic_events=10)) as house:
        # A group without a member from here on: a stream that is given up leaves its group some time later.
        gone = Member("a", "t", "g", "stream-1")
        await house.layer.store.topics.join(gone, 0)
        await house.layer.store.topics.leave(gone)
        async with subscriber(house.events, group="h", from_position=0, max_unacknowledged=2) as slow:
            await publish(house.events, "e1", "e2", "e3")
            assert [got.position for got in await slow.some(2)] == [1, 2]
            await publish(house.events, *(f"e{n}" for n in range(4, 26)))
            await slow.acknowledge(1, 2)
            assert [got.position for got in await slow.some(2)] == [16, 17]
            assert slow.skipped == 13
        async with subscriber(house.events, group="g") as reader:
            assert reader.first.next_position == 16
            assert [got.position for got in await reader.some(10)] == list(range(16, 26))
            assert reader.skipped == 15


async def test_a_topic_keeps_events_for_a_time(settings: StateSettings) -> None:
    """Events past their time are swept, their ids with them, and positions go on."""
    async with open_house(replace(settings, topic_retention=0.05, sweep_seconds=0.01)) as house:
        await publish(house.events, "x", "y")
        async with asyncio.timeout(PATIENCE):
            while (await publish(house.events, "x"))[0] == 1:
                pass
        assert (await publish(house.events, "last"))[0] >= 4


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


async def test_a_silent_topic_sends_heartbeats(settings: StateSettings) -> None:
    """An empty message says that the stream is alive."""
    async with open_house(replace(settings, heartbeat=0.02)) as house, subscriber(house.events) as reader:
        for _ in range(3):
            assert (await reader.message()).ByteSize() == 0


async def test_a_member_that_gets_nothing_hears_heartbeats_while_others_work(settings: StateSettings) -> None:
    """What is published for others, and what of theirs may be due sooner, does not pass for news of its own."""
    async with (
        open_house(replace(settings, heartbeat=0.2)) as house,
        subscriber(house.events, group="g", max_unacknowledged=1) as full,
        asyncio.TaskGroup() as group,
    ):
        await publish(house.events, "taken")
        await full.next()

        async def work() -> None:
            async with subscriber(house.events, group="g", visibility_timeout=SECOND) as busy:
                for number in count():
                    await publish(house.events, f"e{number}")
                    await busy.acknowledge(*(got.position for got in await busy.at_least(1)))
                    await asyncio.sleep(0.05)  # the pace of the work

        working = group.create_task(work())
        for _ in range(3):
            assert (await full.message()).ByteSize() == 0
        working.cancel()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tenant": ""}, "tenant"),
        ({"topic": "no topic"}, "topic"),
        ({"topic": "t" * 129}, "topic"),
        ({"events": []}, "events"),
        ({"events": [event(f"e{n}") for n in range(1001)]}, "events"),
        ({"events": [event("")]}, "events[0].event_id"),
        ({"events": [event("x" * 257)]}, "events[0].event_id"),
        ({"events": [event("x"), event("y", type="a type")]}, "events[1].type"),
        ({"events": [event("x", type="")]}, "events[0].type"),
        ({"events": [event("x", payload_json="")]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json="{")]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json="NaN")]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json='"\\ud800"')]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json="[" * 101 + "]" * 101)]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json="[" * 500_000)]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json='"' + "x" * 1024 * 1024 + '"')]}, "events[0].payload_json"),
        ({"events": [event("x", correlation_id="c c")]}, "events[0].correlation_id"),
        ({"events": [event("x", reply_topic="/")]}, "events[0].reply_topic"),
        ({"events": [event("x", deadline_time=Timestamp(seconds=2**60))]}, "events[0].deadline_time"),
        ({"events": [event("x", time=Timestamp(seconds=1))]}, "events[0].time"),
        ({"events": [event("x", metadata={"k": "v" * 9000})]}, "events[0].metadata"),
    ],
)
async def test_what_can_t_be_published_is_named(house: House, fields: dict[str, object], named: str) -> None:
    """Nothing of such a call is published."""
    request = PublishRequest(**{"tenant": "a", "topic": "t", "events": [event("x")], **fields})  # type: ignore[arg-type] # the fields are of many types
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await house.events.Publish(request)
    assert [violation.field for violation in _invalid(raised.value).violations] == [named]


@pytest.mark.parametrize("payload", ["[" * 100 + "]" * 100, '"' + "[" * 200 + '"', "1" * 5000, "1e999", "null"])
async def test_odd_json_is_kept_as_it_is(house: House, payload: str) -> None:
    """Depth up to the limit, brackets in strings, and numbers that no machine has are JSON too."""
    await house.events.Publish(PublishRequest(tenant="a", topic="t", events=[event("x", payload_json=payload)]))
    async with subscriber(house.events, from_position=0) as reader:
        assert (await reader.next()).event.payload_json == payload


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tenant": ""}, "tenant"),
        ({"topic": ""}, "topic"),
        ({"group": "~mine"}, "group"),
        ({"topic": "t" * 100, "group": "g" * 23}, "group"),
        ({"member": "a b"}, "member"),
        ({"from_position": 2**63}, "from_position"),
        ({"max_unacknowledged": 1001}, "max_unacknowledged"),
        ({"visibility_timeout": Duration(nanos=999_999_999)}, "visibility_timeout"),
        ({"visibility_timeout": Duration(seconds=12 * 3600 + 1)}, "visibility_timeout"),
        ({"visibility_timeout": Duration(seconds=-1)}, "visibility_timeout"),
    ],
)
async def test_what_can_t_be_subscribed_to_is_named(house: House, fields: dict[str, object], named: str) -> None:
    """The call ends before anything is made."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async with subscriber(house.events, **fields):
            pass
    assert [violation.field for violation in _invalid(raised.value).violations] == [named]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"group": ""}, "group"),
        ({"positions": [0]}, "positions"),
        ({"positions": [2**63]}, "positions"),
        ({"positions": range(1, 1002)}, "positions"),
        ({"failed": [FailedDelivery(position=0)]}, "failed[0].position"),
        ({"failed": [FailedDelivery(position=1, reason="x" * 1025)]}, "failed[0].reason"),
    ],
)
async def test_answers_that_can_t_be_taken_are_named(house: House, fields: dict[str, object], named: str) -> None:
    """A whole call is refused or taken."""
    request = AcknowledgeRequest(**{"tenant": "a", "topic": "t", "group": "g", **fields})  # type: ignore[arg-type] # the fields are of many types
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await house.events.Acknowledge(request)
    assert [violation.field for violation in _invalid(raised.value).violations] == [named]


def _answer(position: int, group: str = "g") -> AcknowledgeRequest:
    return AcknowledgeRequest(tenant="a", topic="t", group=group, positions=[position])


def _invalid(error: grpc.aio.AioRpcError) -> InvalidArgument:
    refused = error_of(error)
    assert isinstance(refused, InvalidArgument)
    return refused
