"""How long gathering lasts: not at all after a silence, at most a tick under load, and for all alike."""

import asyncio

import pytest

from penstock.run_log.pace import Pace

TICK = 0.4
TRIES = 5
"""How often is tried what a machine spoils that stops for a moment."""


async def test_the_first_sending_after_a_silence_waits_for_nobody():
    """However long the tick is, and again after each silence longer than it."""
    async with asyncio.timeout(5):
        await Pace(3600.0).wait()


async def test_the_next_sending_waits_for_the_tick_and_no_longer():
    """It goes with the next tick of the clock, which is less than one tick away."""
    loop = asyncio.get_running_loop()
    for _ in range(TRIES):
        pace = Pace(TICK)
        await pace.wait()
        begin = loop.time()
        await pace.wait()
        end = loop.time()
        if end // TICK > begin // TICK and end - begin < 1.5 * TICK:
            return
    pytest.fail(f"at a tick of {TICK} s the last one waited from {begin} to {end}")


async def test_all_that_wait_go_together():
    """Whenever each went last, so that what they send shares a commit."""
    loop = asyncio.get_running_loop()
    went: list[float] = []

    async def go(pace: Pace) -> None:
        await pace.wait()
        went.append(loop.time())

    for _ in range(TRIES):
        first, second = Pace(TICK), Pace(TICK)
        await first.wait()
        await asyncio.sleep(TICK / 2)  # makes them differ in when they went last
        await second.wait()
        went.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(go(first))
            group.create_task(go(second))
        if went[1] - went[0] < TICK / 4:
            return
    pytest.fail(f"the last two went at {went}")
