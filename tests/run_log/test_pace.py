"""How long gathering lasts: not at all after a silence, at most a tick under load, and for all alike."""

import asyncio

from penstock.run_log.pace import Pace

TICK = 0.4


async def test_the_first_sending_after_a_silence_waits_for_nobody():
    """However long the tick is, and again after each silence longer than it."""
    async with asyncio.timeout(5):
        await Pace(3600.0).wait()


async def test_the_next_sending_waits_for_the_tick_and_no_longer():
    """It goes with the next tick of the clock, which is less than one tick away."""
    loop = asyncio.get_running_loop()
    pace = Pace(TICK)
    await pace.wait()
    begin = loop.time()
    await pace.wait()
    assert loop.time() // TICK > begin // TICK
    assert loop.time() - begin < 2 * TICK


async def test_all_that_wait_go_together():
    """Whenever each went last, so that what they send shares a commit."""
    loop = asyncio.get_running_loop()
    first, second = Pace(TICK), Pace(TICK)
    await first.wait()
    await asyncio.sleep(TICK / 2)  # makes them differ in when they went last
    await second.wait()
    went: list[float] = []

    async def go(pace: Pace) -> None:
        await pace.wait()
        went.append(loop.time())

    async with asyncio.TaskGroup() as group:
        group.create_task(go(first))
        group.create_task(go(second))
    assert went[1] - went[0] < TICK / 4
