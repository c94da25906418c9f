"""The keyed writes of the state layer, each with what its answer says and what readers see of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from penstock.v1.event_pb2 import PublishRequest, TopicEvent
from penstock.v1.ownership_pb2 import ClaimRunsRequest
from penstock.v1.run_log_pb2 import ReadRunsRequest, RunName
from penstock.v1.session_pb2 import AppendMessagesRequest, ReadMessagesRequest
from tests.force.following import read_whole
from tests.force.replica import Door
from tests.state import entries as e
from tests.state.subscriber import subscriber

# In the bytes of each write, and of nothing else.
MARK = "mark-5b1e77c0"


@dataclass(frozen=True, slots=True)
class Write:
    """Represents a write that can be repeated.

    `call` makes it and returns what its answer says: the same every time. `seen` returns the same from what readers
    see; None while it is not there.
    """

    prepare: Callable[[Door], Awaitable[object]]
    call: Callable[[Door], Awaitable[object]]
    seen: Callable[[Door], Awaitable[object]]


async def _begin(door: Door) -> None:
    await e.lease(door)
    await e.record(door, e.record_entry("run-1", session="session-1"))


async def _append(door: Door) -> object:
    result = await e.append_events(door, "run-1", e.token(MARK), e.token("and on"), writer="w", number=7)
    return result.generation, [result.first_sequence, result.last_sequence], result.durable_sequence


async def _appended(door: Door) -> object:
    generation, log = await read_whole(door, "run-1")
    found = [event.sequence for event in log if event.token.text in (MARK, "and on")]
    return (generation, found, len(log)) if found else None


async def _record(door: Door) -> object:
    entry = e.record_entry("run-2", session="session-2", text=MARK)
    result = await e.record(door, entry)
    record = result.record
    return record.owner_instance_id, record.epoch, record.run.create_time, ("run-2:user",), record.run.last_sequence


async def _recorded(door: Door) -> object:
    names = [RunName(tenant=e.TENANT, run_id="run-2")]
    found = (await door.log.ReadRuns(ReadRunsRequest(runs=names))).records
    if not found:
        return None
    messages = await door.sessions.ReadMessages(ReadMessagesRequest(tenant=e.TENANT, session_id="session-2"))
    _, log = await read_whole(door, "run-2")
    ids = tuple(message.message_id for message in messages.messages)
    return found[0].owner_instance_id, found[0].epoch, found[0].run.create_time, ids, len(log)


async def _say(door: Door) -> object:
    request = AppendMessagesRequest(
        tenant=e.TENANT, session_id="session-1", messages=[e.message("m-1", MARK), e.message("m-2")]
    )
    response = await door.sessions.AppendMessages(request)
    assert response.applied
    return list(response.indexes), response.next_index


async def _said(door: Door) -> object:
    told = await door.sessions.ReadMessages(ReadMessagesRequest(tenant=e.TENANT, session_id="session-1"))
    found = [message.index for message in told.messages if message.message_id in ("m-1", "m-2")]
    return (found, told.messages[-1].index + 1) if found else None


async def _queue(door: Door) -> None:
    await e.lease(door, "claimer")
    await e.record(door, e.record_entry("run-3", owner=""))


async def _claim(door: Door) -> object:
    response = await door.owner.ClaimRuns(ClaimRunsRequest(instance_id="claimer", claim_id=MARK, max_runs=10))
    return [(run.record.run.run_id, run.record.epoch, run.record.owner_instance_id) for run in response.runs]


async def _claimed(door: Door) -> object:
    record = await e.run_record(door, "run-3")
    owner = record.owner_instance_id
    return [("run-3", record.epoch, owner)] if owner else None


async def _signal(door: Door) -> object:
    response = await e.cancel(door, "run-1", signal_id=MARK)
    return [(response.signal_number, MARK)]


async def _signalled(door: Door) -> object:
    pending = (await e.run_record(door, "run-1")).pending_signals
    return [(one.signal_number, one.signal_id) for one in pending] or None


async def _prepare_topic(door: Door) -> None:
    await door.events.Publish(PublishRequest(tenant=e.TENANT, topic="news", events=[_event("before")]))


async def _publish(door: Door) -> object:
    events = [_event(MARK), _event("after")]
    return list((await door.events.Publish(PublishRequest(tenant=e.TENANT, topic="news", events=events))).positions)


async def _published(door: Door) -> object:
    async with subscriber(door.events, tenant=e.TENANT, topic="news") as joined:
        newest = joined.first.next_position - 1
    async with subscriber(door.events, tenant=e.TENANT, topic="news", from_position=0) as joined:
        found = await joined.at_least(newest)  # more, where they came after the look at the newest
    return [one.position for one in found if one.event.event_id in (MARK, "after")] or None


def _event(event_id: str) -> TopicEvent:
    return TopicEvent(event_id=event_id, type="told", payload_json="1")


WRITES = {
    "AppendEvents": Write(_begin, _append, _appended),
    "RecordRuns": Write(_begin, _record, _recorded),
    "AppendMessages": Write(_begin, _say, _said),
    "Publish": Write(_prepare_topic, _publish, _published),
    "ClaimRuns": Write(_queue, _claim, _claimed),
    "SendSignal": Write(_begin, _signal, _signalled),
}
