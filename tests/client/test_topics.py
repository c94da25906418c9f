"""Topics through the client: publish, subscribe, request; at least once, and by itself over broken connections."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from penstock.client import Client, Event, Subscription, errors, new_event
from penstock.wire.ids import random_id

PATIENCE = 20.0


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses."""
    return random_id("topic")


async def some(subscription: Subscription, count: int) -> list[Event]:
    """Returns the next events."""
    async with asyncio.timeout(PATIENCE):
        return [await anext(subscription) for _ in range(count)]


@asynccontextmanager
async def answering(client: Client, topic: str, answer: Callable[[Event], Awaitable[object]]) -> AsyncGenerator[None]:
    """Answers the requests of a topic for the block."""
    async with asyncio.TaskGroup() as group, client.subscribe(topic, group="answering") as requests:

        async def serve() -> None:
            async for request in requests:
                await answer(request)

        serving = group.create_task(serve())
        yield
        serving.cancel()
        await asyncio.wait([serving])


async def test_an_event_arrives_as_it_was_published(client: Client, topic: str) -> None:
    """Anything that JSON can say, with all its digits; type, id and notes beside it."""
    payload = {"big": 12345678901234567890123, "text": "Ü ✓", "none": None, "list": [1.5, True]}
    async with client.subscribe(topic) as events:
        assert await client.publish(topic, payload, type="thing.made", event_id="e-1", metadata={"k": "v"}) == 1
        (event,) = await some(events, 1)
    assert (event.id, event.type, event.position, event.delivery) == ("e-1", "thing.made", 1, 1)
    assert (event.payload, dict(event.metadata)) == (payload, {"k": "v"})
    assert event.time.tzinfo is not None


async def test_a_repeated_publish_changes_nothing(client: Client, topic: str) -> None:
    """The same id has the same position; without one each call is an event of its own."""
    assert [await client.publish(topic, n, event_id="same") for n in range(3)] == [1, 1, 1]
    assert [await client.publish(topic, 1) for _ in range(2)] == [2, 3]
    batch = [new_event(n, event_id=name) for n, name in enumerate(("x", "same", "y"))]
    assert await client.publish_events(topic, batch) == [4, 1, 5]


async def test_what_the_loop_has_gone_on_from_is_acknowledged(client: Client, topic: str) -> None:
    """The event that the loop is at when the program leaves the block counts too, unless it leaves with an error."""
    await client.publish_events(topic, [new_event(n) for n in range(1, 6)])
    async with client.subscribe(topic, group="g", from_beginning=True) as events:
        async for event in events:
            if event.payload == 3:
                break
    with suppress(ZeroDivisionError):
        async with client.subscribe(topic, group="g") as events:
            (event,) = await some(events, 1)
            assert event.payload / 0
    async with client.subscribe(topic, group="g") as events:
        assert [event.payload for event in await some(events, 2)] == [4, 5]


async def test_without_the_loop_s_word_events_are_answered_one_by_one(client: Client, topic: str) -> None:
    """In any order; one that failed comes again, and one that is left comes to the next."""
    await client.publish_events(topic, [new_event(n) for n in range(1, 4)])
    async with client.subscribe(topic, group="g", from_beginning=True, auto_acknowledge=False) as events:
        first, second, third = await some(events, 3)
        await second.acknowledge()
        await second.fail("too late to say so")
        await third.fail("not now")
        (again,) = await some(events, 1)
        assert (again.payload, again.delivery) == (3, 2)
        await again.acknowledge()
        assert first.position == 1
    async with client.subscribe(topic, group="g") as events:
        assert [event.payload for event in await some(events, 1)] == [1]


async def test_what_fails_five_times_is_a_dead_letter_with_the_reason(client: Client, topic: str) -> None:
    """Whoever looks after the dead letters reads what went wrong, and has the event as it was."""
    await client.publish_events(topic, [new_event("poison"), new_event("fine")])
    async with client.subscribe(topic, group="g", from_beginning=True, max_unacknowledged=1) as events:
        for _ in range(5):
            (event,) = await some(events, 1)
            await event.fail(f"cannot digest {event.payload}")
        assert [event.payload for event in await some(events, 1)] == ["fine"]
    async with client.subscribe(f"{topic}.g.dead", from_beginning=True) as events:
        (dead,) = await some(events, 1)
    assert dead.payload == "poison"
    assert dead.dead_letter_reason.endswith("the last time: cannot digest poison")


async def test_members_share_a_group_s_work(client: Client, topic: str) -> None:
    """Each event is done once, by one of them."""
    done: list[int] = []
    complete = asyncio.Event()

    async def work() -> None:
        async with client.subscribe(topic, group="g", from_beginning=True, max_unacknowledged=5) as events:
            async for event in events:
                done.append(event.payload)
                if len(done) == 300:
                    complete.set()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        workers = [group.create_task(work()) for _ in range(4)]
        for first in range(0, 300, 50):
            await client.publish_events(topic, [new_event(n) for n in range(first, first + 50)])
        await complete.wait()
        for worker in workers:
            worker.cancel()
    assert sorted(done) == list(range(300))


async def test_a_wait_that_was_cancelled_loses_nothing(client: Client, topic: str) -> None:
    """A program may look for events with a time limit, again and again, in a group of its own too."""
    async with client.subscribe(topic) as events:
        for n in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await anext(events)
            await client.publish(topic, n)
            assert [event.payload for event in await some(events, 1)] == [n]


async def test_a_wait_that_was_cancelled_while_it_answered_loses_nothing(client: Client, topic: str) -> None:
    """The event that would have been next is next, though the call went with the answer; and the block ends well."""
    await client.publish_events(topic, [new_event(n) for n in range(3)])
    async with client.subscribe(topic, group="g", from_beginning=True) as events:
        assert [event.payload for event in await some(events, 2)] == [0, 1]
        answered = time.monotonic()
        while time.monotonic() < answered + 0.1:
            pass  # so long that the answer is not held back any more, and nothing else goes on meanwhile
        wait = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)  # it has begun, and writes
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        assert [event.payload for event in await some(events, 1)] == [2]
        wait = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        wait.cancel()
        await asyncio.wait([wait])


async def test_a_held_event_is_not_given_twice(client: Client, topic: str) -> None:
    """After the connection was dropped what the program holds is not handed out again, and its answer counts."""
    await client.publish_events(topic, [new_event(n) for n in range(1, 4)])
    async with client.subscribe(topic, group="g", from_beginning=True, auto_acknowledge=False) as events:
        first, second, third = await some(events, 3)
        await second.acknowledge()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(events)
        await client.publish(topic, 4)
        (new,) = await some(events, 1)
        assert new.payload == 4
        for event in (first, third, new):
            await event.acknowledge()
    await client.publish(topic, 5)
    async with client.subscribe(topic, group="g") as events:
        assert [event.payload for event in await some(events, 1)] == [5]


async def test_leaving_ends_the_iteration(client: Client, topic: str) -> None:
    """Closed within its loop it just ends; closed by another task while it waits, it says so."""
    await client.publish(topic, 1)
    events = client.subscribe(topic, from_beginning=True)
    async for event in events:
        assert event.payload == 1
        await events.aclose()
    waiting = client.subscribe(topic)
    await waiting.__aenter__()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(_outcome(waiting))
        await asyncio.sleep(0)
        await waiting.aclose()
    assert isinstance(reading.result(), errors.Cancelled)


async def test_a_closed_client_ends_its_subscriptions(address: str, topic: str) -> None:
    """As with runs: the reader hears that it was ended."""
    client = Client(address)
    events = await client.subscribe(topic).__aenter__()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(_outcome(events))
        await asyncio.sleep(0)
        await client.aclose()
    assert isinstance(reading.result(), errors.Cancelled)


@pytest.mark.parametrize("payload", [object(), float("nan"), {1: {2, 3}}, "\ud800"])
async def test_what_json_can_t_say_is_refused_here(client: Client, topic: str, payload: object) -> None:
    """Before anything is sent, with the field's name."""
    with pytest.raises(errors.InvalidArgument) as raised:
        await client.publish(topic, payload)
    assert [violation.field for violation in raised.value.violations] == ["payload"]


async def test_what_the_mesh_refuses_is_raised(client: Client, topic: str) -> None:
    """Fields by name, reserved topics, and addresses that are gone; the call's id is in the error."""
    with pytest.raises(errors.InvalidArgument) as invalid:
        await client.subscribe(topic, visibility_timeout=0.5).__aenter__()
    assert [violation.field for violation in invalid.value.violations] == ["visibility_timeout"]
    assert invalid.value.metadata["topic"] == topic
    with pytest.raises(errors.PermissionDenied) as denied:
        await client.publish("penstock.runs", 1)
    assert denied.value.metadata["request_id"]
    with pytest.raises(errors.NotFound):
        await client.publish("reply.nobody", 1)


async def test_a_request_gets_its_reply(client: Client, topic: str) -> None:
    """Many at once, each its own, over one subscription."""
    async with answering(client, topic, lambda request: request.reply(request.payload * 2)):
        replies = await asyncio.gather(*(client.request(topic, n, timeout=PATIENCE) for n in range(100)))
        assert [reply.payload for reply in replies] == [2 * n for n in range(100)]
        assert (await client.request(topic, "ab", timeout=PATIENCE)).payload == "abab"


async def test_a_request_without_a_reply_ends_in_time(client: Client, topic: str) -> None:
    """The error says so; a subscriber who comes late sees that nobody waits, and its reply goes nowhere."""
    with pytest.raises(errors.DeadlineExceeded) as raised:
        await client.request(topic, 1, timeout=1.5)
    assert raised.value.reason == "NO_REPLY"
    async with client.subscribe(topic, from_beginning=True) as requests:
        (request,) = await some(requests, 1)
        assert request.wants_reply
        assert request.expired


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), 1e12])
async def test_a_request_that_could_never_end_is_refused_here(client: Client, topic: str, timeout: float) -> None:
    """Its time is named, as it was given."""
    with pytest.raises(errors.InvalidArgument) as raised:
        await client.request(topic, {}, timeout=timeout)
    assert [violation.field for violation in raised.value.violations] == ["timeout"]


async def test_one_request_s_end_is_not_another_s(client: Client, topic: str) -> None:
    """The one that reads for all is cancelled, or out of time, and the others get their replies all the same."""
    held = asyncio.Event()

    async def answer(request: Event) -> None:
        if request.payload != "never":
            await held.wait()
            await request.reply(request.payload)

    async with answering(client, topic, answer), asyncio.TaskGroup() as group:
        async with client.subscribe(topic) as seen:
            first = group.create_task(client.request(topic, "never", timeout=PATIENCE))
            await some(seen, 1)
            late = group.create_task(_no_reply(client, topic))
            others = [group.create_task(client.request(topic, n, timeout=PATIENCE)) for n in range(5)]
            await some(seen, 6)
        first.cancel()
        await late
        held.set()
        async with asyncio.timeout(PATIENCE):
            assert [(await other).payload for other in others] == list(range(5))


async def test_nothing_of_a_request_is_left_when_it_is_cancelled(client: Client, topic: str) -> None:
    """Its reply finds no subscriber; a request answered twice got one reply."""
    async with client.subscribe(topic) as requests:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(client.request(topic, 1, timeout=PATIENCE))
            (request,) = await some(requests, 1)
            asking.cancel()
            await asyncio.wait([asking])
        address = request.delivered.event.reply_topic
        async with client.subscribe(address) as replies:
            assert await request.reply("first")
            assert await request.reply("again")
            await client.publish(address, "last")
            assert [reply.payload for reply in await some(replies, 2)] == ["first", "last"]


async def test_an_event_that_is_no_request_takes_no_reply(client: Client, topic: str) -> None:
    """The program hears it, instead of a reply going astray."""
    await client.publish(topic, 1)
    async with client.subscribe(topic, from_beginning=True) as events:
        (event,) = await some(events, 1)
        with pytest.raises(errors.FailedPrecondition):
            await event.reply(2)


async def test_a_run_s_start_and_end_are_published(client: Client) -> None:
    """Each once, under a name of its own, with the run as it stood and without its input and output."""
    async with client.subscribe("penstock.runs") as events:
        done = await client.execute_run("3", agent="count", labels={"batch": "7"})
        seen: list[Event] = []
        while [event.type for event in seen] != ["run.started", "run.succeeded"]:
            seen += [event for event in await some(events, 1) if event.payload["run"]["run_id"] == done.run_id]
    assert [event.id for event in seen] == [f"{done.run_id}:RUNNING", f"{done.run_id}:SUCCEEDED"]
    started, ended = (event.payload["run"] for event in seen)
    assert (started["state"], ended["state"]) == ("RUN_STATE_RUNNING", "RUN_STATE_SUCCEEDED")
    assert ended["labels"] == {"batch": "7"}
    assert "finish_time" in ended
    assert not {"finish_time", "output", "input", "plan"} & started.keys()


async def _outcome(subscription: Subscription) -> object:
    try:
        return await anext(subscription)
    except errors.PenstockError as error:
        return error


async def _no_reply(client: Client, topic: str) -> None:
    with pytest.raises(errors.DeadlineExceeded):
        await client.request(topic, "never", timeout=1.5)
