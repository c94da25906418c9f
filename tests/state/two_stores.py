"""Two stores of a kind: one with some of everything in it, and the one that takes it in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from penstock.state.settings import StateSettings
from penstock.v1 import state_admin_pb2 as pb
from penstock.v1 import state_pb2 as values
from penstock.v1.event_pb2 import PublishRequest, TopicEvent
from penstock.v1.session_pb2 import UpdateSessionRequest
from tests.state import entries as e
from tests.state.admin import Admin, administered
from tests.state.house import House, open_house
from tests.state.subscriber import subscriber

Served = tuple[House, Admin]


@asynccontextmanager
async def served(settings: StateSettings, url: str) -> AsyncGenerator[Served]:
    """A store without the events of runs' lives, which come when they come."""
    async with (
        open_house(replace(settings, url=url, lifecycle_topic="")) as house,
        administered(house.layer) as admin,
    ):
        yield house, admin


@pytest.fixture
async def first(settings: StateSettings) -> AsyncGenerator[Served]:
    """The store that is exported."""
    async with served(settings, settings.url) as found:
        yield found


@pytest.fixture
async def second(settings: StateSettings, second_url: str) -> AsyncGenerator[Served]:
    """The empty store that takes it in."""
    async with served(settings, second_url) as found:
        yield found


async def fill(house: House) -> None:
    """Puts some of everything into a store."""
    for tenant, key in (("acme", "plain"), ("acme", "ü/{x}:*"), ("other", "plain")):
        await house.values.SetValue(
            values.SetValueRequest(
                tenant=tenant, key=key, data=b"\0\xff", metadata=values.ValueMetadata(entries={"a": "b"})
            )
        )
    await house.values.SetValue(
        values.SetValueRequest(tenant="acme", key="short", data=b"x", expiry=values.Expiry(ttl=e.seconds(3600)))
    )
    await house.sessions.UpdateSession(
        UpdateSessionRequest(tenant="acme", session_id="s", data_json='{"n": 123456789012345678901, "empty": []}')
    )
    await e.lease(house)
    await e.record(house, e.record_entry("ended", session="s", labels={"team": "a"}))
    await e.append_events(house, "ended", *[e.token(f"t{number}") for number in range(300)])
    entry = e.append_entry("ended", e.step_finished(output="said"), e.run_finished(output_step="main"))
    entry.session_messages.append(e.message("ended:answer", "said"))
    await e.append(house, entry)
    await e.record(house, e.record_entry("going", session="s", timeout=3600))
    checkpointed = e.append_entry("going", e.token("half"))
    checkpointed.checkpoint = b"\1\2"
    await e.append(house, checkpointed)
    await e.record(house, e.record_entry("waiting", session="s", owner=""))
    await e.record(house, e.record_entry("alone", tenant="other", session=""))
    await e.cancel(house, "going")
    await house.events.Publish(
        PublishRequest(
            tenant="acme",
            topic="news",
            events=[TopicEvent(event_id=f"n{number}", type="t", payload_json="{}") for number in range(5)],
        )
    )
    async with subscriber(house.events, tenant="acme", topic="news", group="g", from_position=0) as reader:
        await reader.some(5)
        await reader.acknowledge(1, 2, 4)
    async with asyncio.timeout(5):
        while not all(given.reason for given in (await given_to(house, "g")).deliveries):  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.01)  # the end of a stream is noticed when the store comes to it, and sends no event


async def given_to(house: House, group: str) -> pb.ExportedGroup:
    """What a group of the topic has got."""
    topic = await house.layer.store.care.topic("acme", "news")
    assert topic is not None
    return next(found for found in topic.groups if found.group == group)


def without_cursors(records: Sequence[pb.StoreRecord]) -> list[pb.StoreRecord]:
    """What records say, the begin and the end of the export apart."""
    said = []
    for record in records:
        if record.WhichOneof("record") not in ("header", "end"):
            copy = pb.StoreRecord()
            copy.CopyFrom(record)
            copy.cursor = ""
            said.append(copy)
    return said
