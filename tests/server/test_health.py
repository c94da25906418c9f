"""Readiness that follows what a layer needs, told by the standard health service."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from penstock.gateway.status import STATUS_KEY
from penstock.server import readiness as timing
from penstock.server.assemble import open_mesh
from penstock.server.drain import drain
from penstock.server.readiness import Check, Pulse, Readiness
from penstock.v1.gateway_pb2 import LayerStatus
from tests.stores.ports import free_ports

from .conftest import Configure, Connect

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
EXECUTOR = "penstock.v1.ExecutorService"


async def until(stream: AsyncIterator[HealthCheckResponse], status: int) -> None:
    """Reads a health watch until it says this."""
    async for response in stream:
        if response.status == status:
            return
    pytest.fail("the watch ended")


async def told(stub: Any, service: str) -> LayerStatus:
    """Asks for health and returns the status that comes with the answer."""
    call = stub.Check(HealthCheckRequest(service=service))
    answer = await call
    (status,) = [LayerStatus.FromString(value) for key, value in await call.trailing_metadata() if key == STATUS_KEY]
    assert status.serving == (answer.status == SERVING)
    return status


async def test_an_executor_is_ready_while_the_state_layer_answers_and_not_otherwise(
    configure: Configure, connect: Connect
) -> None:
    """Its watch hears NOT_SERVING when the state layer goes, with the reason in Check, and SERVING when it is back."""
    async with asyncio.timeout(25):
        address = "127.0.0.1:{}".format(*free_ports(1))
        executor = configure(layers="executor,tools", connect=[f"state={address}"])
        async with open_mesh(executor) as mesh:
            stub: Any = HealthStub(connect(mesh.address))
            watch = stub.Watch(HealthCheckRequest(service=EXECUTOR))
            status = await told(stub, EXECUTOR)
            assert not status.serving
            assert status.reason.startswith("state: ")
            assert {check.name: check.passed for check in status.checks} == {"tools": True, "state": False}
            for _ in range(2):
                async with open_mesh(configure(layers="state", listen=address)):
                    await until(watch, SERVING)
                    status = await told(stub, EXECUTOR)
                    assert (status.layer, status.serving, status.reason) == ("executor", True, "")
                    assert (status.version, status.instance_id) == (mesh.identity.version, mesh.identity.instance_id)
                    assert all(check.passed and check.timeout.seconds == 2 for check in status.checks)
                await until(watch, NOT_SERVING)
            assert (await told(stub, "penstock.v1.ToolRunnerService")).serving
            assert not (await told(stub, "")).serving  # overall: a part of this process is not ready
            watch.cancel()


async def test_a_service_that_is_not_there_is_not_found_and_its_watch_says_unknown(
    configure: Configure, connect: Connect
) -> None:
    """As the health protocol asks: Check fails with NOT_FOUND, Watch goes on with SERVICE_UNKNOWN."""
    async with asyncio.timeout(20), open_mesh(configure(layers="tools")) as mesh:
        stub: Any = HealthStub(connect(mesh.address))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(HealthCheckRequest(service="no.Such"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        watch = stub.Watch(HealthCheckRequest(service="no.Such"))
        assert (await watch.read()).status == HealthCheckResponse.SERVICE_UNKNOWN
        watch.cancel()


async def test_draining_is_heard_by_watchers_before_anything_stops(configure: Configure, connect: Connect) -> None:
    """The first thing that a leaving process does is to say that it is not serving."""
    said: list[str] = []
    async with asyncio.timeout(20), open_mesh(configure()) as mesh:
        watch = HealthStub(connect(mesh.address)).Watch(HealthCheckRequest())  # type: ignore[attr-defined] # its type information lacks its methods
        await until(watch, SERVING)
        assert await drain(mesh, 5.0, said.append)
        await until(watch, NOT_SERVING)
        assert "shutting down" in mesh.readiness["gateway"].reason
        watch.cancel()
    assert "draining" in said[0]


async def test_a_check_that_hangs_counts_as_failed_after_its_time() -> None:
    """Silence is no health: the finding names the time that was given."""

    async def hang() -> str:
        await asyncio.Event().wait()
        return "never"

    ready = Readiness("tools", ("s",), (Check("slow", hang, timeout=0.05),), Pulse())
    await ready.check_all()
    assert ready.reason == "slow: no answer within 0.05 s"


async def test_a_success_counts_for_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer whose checks stopped answering is not ready, even if nothing has failed since."""

    async def fine() -> str:
        return "fine"

    ready = Readiness("tools", ("s",), (Check("store", fine),), Pulse())
    assert ready.reason == "store: not checked yet"
    await ready.check_all()
    assert ready.reason == ""
    assert timing.FRESH == 5.0
    monkeypatch.setattr(timing, "FRESH", -1.0)
    assert ready.reason.startswith("store: no answer for")


async def test_one_failed_check_is_told_before_the_slower_ones_have_answered() -> None:
    """NOT_SERVING does not wait for the rest of the round."""
    failing = False
    answering = asyncio.Event()
    answering.set()

    async def quick() -> str:
        if failing:
            raise ConnectionError("gone")
        return "there"

    async def slow() -> str:
        await answering.wait()
        return "there"

    pulse = Pulse()
    ready = Readiness("executor", ("s",), (Check("quick", quick), Check("slow", slow)), pulse)
    await ready.check_all()
    assert ready.reason == ""
    failing = True
    answering.clear()
    beat = asyncio.ensure_future(pulse.wait())
    round_of_checks = asyncio.ensure_future(ready.check_all())
    async with asyncio.timeout(10):
        await beat
    assert ready.reason == "quick: ConnectionError; the server's log says more"
    answering.set()
    await round_of_checks
