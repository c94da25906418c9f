"""Tasks beside a block: they end with it, and errors stay what they are."""

import asyncio

import pytest

from penstock.wire.background import background


async def test_a_block_waits_for_its_tasks() -> None:
    """What was begun is not cut off when the block comes to its end."""
    ended = asyncio.Event()
    go_on = asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        ended.set()

    async with background() as tasks:
        tasks.create_task(work())
        asyncio.get_running_loop().call_soon(go_on.set)
    assert ended.is_set()


async def test_an_error_of_the_block_comes_out_as_it_is() -> None:
    """Not wrapped in a group, which no `except` around it would know."""
    with pytest.raises(ValueError, match="as it is"):
        async with background():
            raise ValueError("as it is")


async def test_a_task_that_fails_ends_the_block_and_the_other_tasks() -> None:
    """Nothing goes on half."""
    cancelled = asyncio.Event()

    async def stay() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def fail() -> None:
        raise ValueError("lost")

    async def block() -> None:
        async with asyncio.timeout(5), background() as tasks:
            tasks.create_task(stay())
            tasks.create_task(fail())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as failed:
        await block()
    assert failed.value.subgroup(ValueError) is not None
    assert cancelled.is_set()
