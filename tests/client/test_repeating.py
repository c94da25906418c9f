"""Calls with one answer that are repeated: safely, in time, and not for ever."""

import asyncio
import socket
import time

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.client import Client, errors
from penstock.client.asking import UNREACHABLE
from penstock.client.backoff import FIRST, MOST, full_jitter
from penstock.client.doors import Doors
from penstock.client.failure import Failure
from penstock.client.persistence import STOOD, Persistence
from penstock.v1.gateway_pb2 import StreamRunResponse
from penstock.v1.run_pb2 import Run
from tests.client.scripted import Scripted, Stage, playing

DONE = StreamRunResponse(run=Run(run_id="run-1"))


@given(st.integers(0, 10**9), st.floats(0, 1))
def test_a_pause_is_never_longer_than_its_bound(doublings: int, drawn: float) -> None:
    """However often it was tried."""
    assert 0 <= full_jitter(doublings, lambda: drawn) <= min(MOST, FIRST * 2.0 ** min(doublings, 100))


def test_the_bound_doubles_until_it_is_the_most() -> None:
    """All of the time below it is drawn from: that is what spreads the clients of one dead gateway."""
    bounds = [full_jitter(doublings, lambda: 1.0) for doublings in range(8)]
    assert bounds == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST, 16 * FIRST, 32 * FIRST, MOST, MOST]
    assert full_jitter(5, lambda: 0.0) == 0.0


async def test_a_call_is_repeated_with_its_key_until_it_is_answered() -> None:
    """At one door after the other."""
    first = Scripted(abort=errors.Draining("leaving"))
    second = Scripted(abort=grpc.StatusCode.UNAVAILABLE, then=Scripted([DONE]))
    async with playing(first) as one, playing(second) as other, Client([one.address, other.address]) as client:
        async with asyncio.timeout(20):
            assert (await client.execute_run("x", agent="a")).run_id == "run-1"
    assert len({asked.spec.idempotency_key for asked in (*first.asked, *second.asked)}) == 1
    assert len(first.asked) + len(second.asked) >= 3


async def test_repeats_never_make_a_call_take_longer_than_its_time() -> None:
    """The last failure is told as soon as no other try fits."""
    # The second try comes after 1.5 s, and no third one fits: one that fits by a hair could run out of time itself.
    script = Scripted(abort=errors.Unavailable("soon", retry_after=1.5))
    async with playing(script) as stage, Client(stage.address) as client:
        began = time.monotonic()
        with pytest.raises(errors.Unavailable) as away:
            await client.execute_run("x", agent="a", wait=2.9)
        assert time.monotonic() - began < 10
    assert away.value.metadata["idempotency_key"] == script.asked[0].spec.idempotency_key
    assert len(script.asked) == 2


async def test_a_repeat_gets_what_is_left_of_the_calls_time() -> None:
    """The whole is what the caller allowed, not each try."""
    script = Scripted(abort=errors.Unavailable("soon", retry_after=0.5), then=Scripted(stays_open=True))
    async with playing(script) as stage, Client(stage.address) as client:
        with pytest.raises(errors.DeadlineExceeded, match="was over before an answer came from") as late:
            await client.execute_run("x", agent="a", wait=3.0)
    assert late.value.metadata["address"] == stage.address
    _, second = script.remaining
    assert 0 < second < 2.6


async def test_a_server_that_asks_to_come_later_than_there_is_time_for_is_believed() -> None:
    """Waiting would be in vain, so its answer is told at once."""
    script = Scripted(abort=errors.Unavailable("much later", retry_after=40.0, reason="STATE_AWAY"))
    async with playing(script) as stage, Client(stage.address, patience=10) as client, asyncio.timeout(5):
        with pytest.raises(errors.Unavailable, match="much later") as away:
            await client.execute_run("x", agent="a")
    assert (away.value.reason, away.value.metadata["address"]) == ("STATE_AWAY", stage.address)


@pytest.mark.parametrize(
    ("told", "stood", "attempts"), [(False, STOOD, [1, 1, 1]), (True, STOOD, [1, 2, 3]), (True, 60.0, [1, 1, 1])]
)
def test_a_call_that_stood_for_a_while_gives_patience_anew(told: bool, stood: float, attempts: list[int]) -> None:
    """An ExecuteRun may wait for hours, and be lost now and then; a server that is slow to say no is no progress."""
    doors = Doors(["a:1"])
    persistence = Persistence(doors, patience=60.0)
    broke = Failure(errors.Unavailable("x"), "no answer came from", "x", told=told, connected=True, repeatable=True)
    long_ago = time.monotonic() - stood
    assert [persistence.failed(doors.current, broke, long_ago).attempt for _ in range(3)] == attempts


async def test_without_patience_a_call_is_made_once() -> None:
    """Neither we nor gRPC repeat it; the next call goes to the next door all the same."""
    first, second = Scripted(abort=grpc.StatusCode.UNAVAILABLE), Scripted([DONE])
    async with playing(first) as one, playing(second) as other, Client(_both(one, other), patience=0) as client:
        with pytest.raises(errors.Unavailable, match=one.address):
            await client.execute_run("x", agent="a")
        assert (len(first.asked), len(second.asked)) == (1, 0)
        assert (await client.execute_run("x", agent="a")).run_id == "run-1"


def _both(one: Stage, other: Stage) -> list[str]:
    return [one.address, other.address]


async def test_a_call_that_waits_when_its_client_is_closed_says_so() -> None:
    """Instead of a CancelledError, with which a task that nobody cancelled would end without a word."""
    for script in (Scripted(stays_open=True), Scripted(abort=errors.Unavailable("later", retry_after=20.0))):
        async with asyncio.timeout(20), playing(script) as stage, asyncio.TaskGroup() as group:
            client = Client(stage.address)
            calling = group.create_task(_reason(client))
            await script.came.wait()
            await client.aclose()
        assert calling.result() == "CLIENT_CLOSED"
        with pytest.raises(RuntimeError, match="closed"):
            await client.get_status()


async def _reason(client: Client) -> str:
    with pytest.raises(errors.Cancelled) as cancelled:
        await client.execute_run("x", agent="a")
    return cancelled.value.reason


async def test_nobody_at_any_address_is_told_at_once_with_all_of_them() -> None:
    """However great the patience is: most likely the address is wrong."""
    async with asyncio.timeout(20), Client("127.0.0.1:1,127.0.0.1:2,unix:/nobody/here", patience=60) as nowhere:
        for call in (nowhere.get_status(), nowhere.execute_run("x"), anext(nowhere.stream_run("x"))):
            with pytest.raises(errors.Unavailable, match=r"127\.0\.0\.1:1.*127\.0\.0\.1:2.*unix:/nobody/here") as away:
                await call
            assert away.value.reason == UNREACHABLE


async def test_an_address_that_takes_connections_and_says_nothing_is_given_up_soon() -> None:
    """It is no gateway, or its machine hangs."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with asyncio.timeout(15), Client(f"127.0.0.1:{silent.getsockname()[1]}") as client:
            with pytest.raises(errors.Unavailable, match="nothing answers at"):
                await client.get_status()


async def test_the_first_address_that_answers_will_do() -> None:
    """The others may come up later."""
    async with playing(Scripted([DONE])) as stage, Client(["127.0.0.1:1", stage.address]) as client:
        assert (await client.execute_run("x", agent="a")).run_id == "run-1"
