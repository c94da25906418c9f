"""Runs' starts and ends are published, each once, in the run's tenant."""

import asyncio
import json
from dataclasses import replace

import pytest

from penstock.state.lifecycle_publisher import LifecyclePublisher
from penstock.state.settings import StateSettings
from penstock.v1.run_pb2 import RUN_STATE_FAILED, RUN_STATE_SUCCEEDED, RunState
from tests.state import entries as e
from tests.state.house import House, open_house
from tests.state.subscriber import publish, subscriber


async def run_to(house: House, run_id: str, state: RunState = RUN_STATE_SUCCEEDED) -> None:
    """Starts a run and ends it."""
    await e.record(house, e.record_entry(run_id))
    await e.append_as_owner(house, run_id, e.step_finished(), e.run_finished(state))


async def test_a_run_s_start_and_end_are_published_once(settings: StateSettings) -> None:
    """Under names of their own, soon after, with the run as it was then and without what its log has."""
    async with open_house(replace(settings, sweep_seconds=0.01)) as house:
        await e.lease(house)
        async with subscriber(house.events, tenant=e.TENANT, topic="penstock.runs", from_position=0) as reader:
            await run_to(house, "run-1")
            await run_to(house, "run-2", RUN_STATE_FAILED)
            found = await reader.some(4)
    assert sorted((got.event.event_id, got.event.type) for got in found) == [
        ("run-1:RUNNING", "run.started"),
        ("run-1:SUCCEEDED", "run.succeeded"),
        ("run-2:FAILED", "run.failed"),
        ("run-2:RUNNING", "run.started"),
    ]
    for got in found:
        run = json.loads(got.event.payload_json)["run"]
        assert got.event.event_id == f"{run['run_id']}:{run['state'].removeprefix('RUN_STATE_')}"
        assert not {"plan", "input", "output"} & run.keys()
        assert ("finish_time" in run) == (run["state"] != "RUN_STATE_RUNNING")


async def test_what_was_published_before_its_mark_went_is_not_published_twice(settings: StateSettings) -> None:
    """A publisher that dies between the two leaves the mark, and the next one's event is the same event."""
    quiet = replace(settings, sweep_seconds=3600.0, lifecycle_topic="")
    async with open_house(replace(quiet, lifecycle_topic="penstock.runs")) as house:
        await e.lease(house)
        await run_to(house, "run-1")
        store = house.layer.store
        news = await store.lifecycle.pending(10)  # type: ignore[attr-defined] # the contract of stores keeps it to itself

        class Killed(Exception):
            pass

        class Outbox:
            """Holds news, and dies before they are cleared."""

            async def pending(self, limit: int) -> object:
                return news

            async def clear(self, cleared: object) -> None:
                raise Killed

        with pytest.raises(Killed):
            await LifecyclePublisher(Outbox(), store.topics, "penstock.runs").publish()  # type: ignore[arg-type] # returns what it was given
        while await store.sweep():
            pass
        assert await store.lifecycle.pending(10) == []  # type: ignore[attr-defined] # as above
        assert await publish(house.events, "after", topic="penstock.runs", tenant=e.TENANT) == [3]


async def test_without_a_topic_nothing_is_published(settings: StateSettings) -> None:
    """The setting is empty: no topic is made, and no mark is left."""
    async with open_house(replace(settings, lifecycle_topic="", sweep_seconds=0.01)) as house:
        await e.lease(house)
        await run_to(house, "run-1")
        async with asyncio.timeout(10):
            while await house.layer.store.sweep():
                pass
        assert await publish(house.events, "first", topic="penstock.runs", tenant=e.TENANT) == [1]


@pytest.mark.parametrize("topic", ["two words", "reply.runs"])
async def test_a_topic_that_can_t_be_published_to_is_refused_at_the_start(settings: StateSettings, topic: str) -> None:
    """Every news would wait for ever, and nobody hear why."""
    with pytest.raises(ValueError, match="lifecycle_topic"):
        async with open_house(replace(settings, lifecycle_topic=topic)):
            pass
