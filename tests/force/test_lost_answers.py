"""Answers are lost after the commit; who repeats what was not answered changes nothing and gets the first answer."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from tests.force.polling import until
from tests.force.replica import Door, open_door, open_replicas
from tests.force.stores import KINDS, Place, open_place
from tests.force.writes import MARK, WRITES, Write
from tests.stores.proxy import proxy_to


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty store of each kind."""
    with open_place(request.param, tmp_path) as place:
        yield place


async def outcome(call: Awaitable[object]) -> object:
    """Returns what a call was answered; None when it was not."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return None


async def repeated(write: Write, doors: list[Door], done: object) -> None:
    """Repeats a write at each process, twice, and checks that the answers are `done` and that nothing changes."""
    for door in (*doors, *doors):
        assert await write.call(door) == done
        assert await write.seen(door) == done


@pytest.mark.parametrize("name", WRITES)
async def test_an_answer_lost_on_its_way_to_the_caller_is_given_again(name: str, place: Place, tmp_path: Path) -> None:
    """The connection breaks between commit and answer; each process gives the first answer, and nothing is added."""
    write = WRITES[name]
    async with open_replicas([place.url] * place.replicas, tmp_path) as replicas:
        doors = [replica.door for replica in replicas]
        await write.prepare(doors[-1])
        async with proxy_to(doors[0].address) as proxy, open_door(proxy.address) as near, asyncio.TaskGroup() as group:
            await write.seen(near)  # connects it
            loss = proxy.lose_answer(lambda piece: MARK.encode() in piece)
            call = group.create_task(outcome(write.call(near)))
            async with asyncio.timeout(10):
                await loss.requested.wait()
            done = await until(lambda: write.seen(doors[-1]))
            proxy.cut()
            assert await call is None
        await repeated(write, doors, done)


# A claim asks Redis three times: who is alive, to note what it is about to take, and to take it.
@pytest.mark.parametrize(("name", "lost"), [*((name, 1) for name in WRITES), ("ClaimRuns", 2), ("ClaimRuns", 3)])
async def test_an_answer_lost_on_its_way_from_redis_is_found_again(name: str, lost: int, tmp_path: Path) -> None:
    """The state process loses its connection between commit and reply; either it answers right, or a repeat does."""
    write = WRITES[name]
    seen: Counter[str] = Counter()

    def is_lost(piece: bytes) -> bool:
        seen["marks"] += MARK.encode() in piece
        return MARK.encode() in piece and seen["marks"] == lost

    with open_place("valkey", tmp_path) as place:
        assert place.server is not None
        async with proxy_to(place.server.address) as proxy:
            urls = [place.server.url_through(proxy.address), place.url]
            async with open_replicas(urls, tmp_path) as (near, other), asyncio.TaskGroup() as group:
                await write.prepare(near.door)
                loss = proxy.lose_answer(is_lost)
                call = group.create_task(outcome(write.call(near.door)))
                async with asyncio.timeout(10):
                    await loss.cut()
                told = await call
                done = await write.call(other.door) if told is None else told
                await repeated(write, [other.door, near.door], done)
