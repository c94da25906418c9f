"""What an export reads of runs and topics that no service shows as it is."""

from functools import partial
from typing import Final

from penstock.state.redis.link import Link
from penstock.state.redis.replica import confirm_runs
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_reading import RunReader
from penstock.state.redis.scripts import Script
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.topic_store import OWN_GROUP_PREFIX
from penstock.v1.event_pb2 import DeliveredEvent, TopicEvent
from penstock.v1.state_admin_pb2 import (
    ExportedDelivery,
    ExportedGroup,
    ExportedRun,
    ExportedTopic,
    ExportedTopicEvents,
    GenerationBase,
)
from penstock.wire.errors import Unavailable

# A few at a time, because each event may have 1 MiB.
_EVENTS: Final = 16

# Keys: topic, groups. Out: the next position, and for each group its hash.
_READ_GROUPS: Final = Script(
    """#!lua flags=no-writes
local found = {redis.call('HGET', KEYS[1], 'next')}
for place = 2, #KEYS do
  found[place] = redis.call('HGETALL', KEYS[place])
end
return found
""",
    read_only=True,
)


async def exported_run(rooms: Rooms, tenant: str, run_id: str) -> ExportedRun | None:
    """Returns a run; see StoreCare.

    Raises Unavailable while too few replicas have confirmed it.
    """
    reader = RunReader(rooms)
    reading = await reader.read(tenant, run_id, "record")
    if reading is not None and not reading.run.whole:
        await rooms.submit(tenant, run_id, partial(confirm_runs, [run_id]))
        reading = await reader.read(tenant, run_id, "record")
    if reading is None:
        return None
    run = reading.run
    if not run.whole:
        raise Unavailable(f"too few replicas have confirmed all of run {run_id} yet", reason="NOT_DURABLE")
    record = reading.put_together()
    record.owner_instance_id = ""
    return ExportedRun(
        record=record,
        signals_sent=run.head.signals,
        waiting_step_ids=sorted(run.head.waiting),
        output_sequence=run.head.output_sequence,
        bases=[GenerationBase(generation=generation, last_common_sequence=common) for generation, common in run.bases],
    )


async def exported_topic(link: Link, tenant: str, topic: str) -> ExportedTopic | None:
    """Returns a topic; see StoreCare."""
    keys = TopicKeys(link.keys, tenant, topic)
    members = await link.call("SMEMBERS", keys.groups, key=keys.groups, read_only=True)
    names = sorted(name.decode() for name in members if not name.decode().startswith(OWN_GROUP_PREFIX))
    reply = await link.run(_READ_GROUPS, (keys.topic, *(keys.group(name)[0] for name in names)))
    next_position, *groups = reply.value
    if next_position is None:
        return None
    exported = ExportedTopic(tenant=tenant, topic=topic, next_position=int(next_position))
    for name, flat in zip(names, groups, strict=True):
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        if not fields:
            continue  # forgotten meanwhile
        deliveries = []
        for field, line in fields.items():
            if field.startswith(b"d:"):
                delivery, _, reason = line.decode().split(" ", 2)
                deliveries.append(
                    ExportedDelivery(position=int(field.removeprefix(b"d:")), delivery=int(delivery), reason=reason)
                )
        deliveries.sort(key=lambda one: one.position)
        exported.groups.append(ExportedGroup(group=name, next_position=int(fields[b"next"]), deliveries=deliveries))
    return exported


async def exported_topic_events(link: Link, tenant: str, topic: str, after: int, max_bytes: int) -> ExportedTopicEvents:
    """Returns events of a topic; see StoreCare."""
    key = TopicKeys(link.keys, tenant, topic).events
    exported = ExportedTopicEvents(tenant=tenant, topic=topic)
    size = 0
    while True:
        entries = await link.call("XRANGE", key, f"{after + 1}-0", "+", "COUNT", _EVENTS, key=key, read_only=True)
        for name, (_, body, _, _, _, reason) in entries:
            size += len(body) + len(reason)
            if exported.events and size > max_bytes:
                return exported
            after = int(name.partition(b"-")[0])
            exported.events.append(
                DeliveredEvent(position=after, event=TopicEvent.FromString(body), dead_letter_reason=reason.decode())
            )
        if len(entries) < _EVENTS:
            return exported
