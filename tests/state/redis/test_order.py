"""Operations on a run are done in the order of their calls, also while it is looked up where the run is."""

from __future__ import annotations

import asyncio
from asyncio import Future
from functools import partial

from penstock.state.redis.room_step import Step
from penstock.state.redis.rooms import Room
from tests.state import entries as e
from tests.state.redis.at_hand import AtHand, at_hand

__all__ = ["at_hand"]


async def test_who_comes_when_the_place_was_just_found_does_not_overtake(at_hand: AtHand) -> None:
    """Whoever asked before has not been told yet where the run is, and is first all the same."""
    done: dict[str, None] = {}

    def note(name: str, step: Step) -> None:
        done[name] = None

    async with at_hand.process() as house, asyncio.timeout(10):
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        async with at_hand.rooms() as rooms:
            later: list[Future[None]] = []

            def come(found: Future[Room]) -> None:
                later.append(rooms.submit(e.TENANT, "run-1", partial(note, "second")))

            # Hears of the place a moment before those who have asked.
            rooms.find(e.TENANT, "run-1").add_done_callback(come)
            await rooms.submit(e.TENANT, "run-1", partial(note, "first"))
            await later[0]
    assert list(done) == ["first", "second"]
