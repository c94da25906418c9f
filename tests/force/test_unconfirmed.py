"""A replica hangs behind: what is not safe is neither acknowledged nor shown, and is both when it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio
import pytest

from penstock.client import Client, Run, RunState, errors
from penstock.v1.gateway_pb2 import CreateRunRequest
from penstock.v1.gateway_pb2_grpc import GatewayServiceStub
from penstock.v1.run_pb2 import Content, Durability, RunSpec
from penstock.wire.status import from_rpc_error
from tests.force.polling import until
from tests.force.small_mesh import small_mesh
from tests.stores.replicated import replicated

if TYPE_CHECKING:
    from penstock.v1.gateway_pb2_grpc import GatewayServiceAsyncStub


async def create(door: GatewayServiceAsyncStub, key: str, agent: str = "echo") -> Run:
    """Asks for a run that is to survive the loss of the primary."""
    spec = RunSpec(
        agent=agent,
        input=[Content(text="x")],
        idempotency_key=key,
        durability=Durability.DURABILITY_REPLICA,
    )
    try:
        return (await door.CreateRun(CreateRunRequest(spec=spec))).run
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None


async def accepted(door: GatewayServiceAsyncStub, key: str, **options: str) -> Run | None:
    """Asks for a run; None while it is not accepted."""
    try:
        return await create(door, key, **options)
    except errors.Unavailable:
        return None


async def test_a_run_at_replica_is_accepted_and_shown_when_a_replica_has_it(tmp_path: Path) -> None:
    """Until then its caller is told to ask again with the same key, and whoever asks for the run, to come back."""
    with replicated(tmp_path / "valkey", replicas=1) as (primary, replica):
        async with (
            small_mesh(f"{primary.url}?replicas=1", tmp_path, patience=0) as client,
            grpc.aio.insecure_channel(client.address) as channel,
        ):
            door: GatewayServiceAsyncStub = GatewayServiceStub(channel)
            await until(lambda: accepted(door, "at-once"), 20)
            replica.stall()
            try:
                with pytest.raises(errors.Unavailable) as refused:
                    await create(door, "late")
                assert refused.value.reason == "NOT_DURABLE"
                run_id = refused.value.metadata["run_id"]
                with pytest.raises(errors.Unavailable) as hidden:
                    await client.get_run(run_id)
                assert hidden.value.reason == "NOT_DURABLE"
            finally:
                replica.resume()
            run = await until(lambda: accepted(door, "late"), 20)
            assert run.run_id == run_id
            async with asyncio.timeout(20):
                log = [event async for event in client.attach_run(run_id)]
            assert [event.sequence for event in log] == list(range(1, len(log) + 1))
            assert log[-1].run_finished.state == RunState.RUN_STATE_SUCCEEDED
            ended = await client.get_run(run_id)
            assert ended.durable_sequence == ended.last_sequence == len(log)


async def test_a_cancel_of_a_run_at_replica_is_acknowledged_when_a_replica_has_it(tmp_path: Path) -> None:
    """Until then whoever asked is told to ask again; the run ends by it once."""
    with replicated(tmp_path / "valkey", replicas=1) as (primary, replica):
        async with (
            small_mesh(f"{primary.url}?replicas=1", tmp_path, patience=0) as client,
            grpc.aio.insecure_channel(client.address) as channel,
        ):
            door: GatewayServiceAsyncStub = GatewayServiceStub(channel)
            run_id = (await until(lambda: accepted(door, "key", agent="endless"), 20)).run_id
            replica.stall()
            try:
                with pytest.raises(errors.Unavailable) as refused:
                    await client.cancel_run(run_id)
                assert refused.value.reason == "NOT_DURABLE"
            finally:
                replica.resume()
            await until(lambda: cancelled(client, run_id), 20)
            async with asyncio.timeout(20):
                log = [event async for event in client.attach_run(run_id)]
            assert log[-1].run_finished.state == RunState.RUN_STATE_CANCELLED
            assert sum(event.HasField("run_finished") for event in log) == 1


async def cancelled(client: Client, run_id: str) -> Run | None:
    """Asks for a run's end; None while nobody says that this is durable."""
    try:
        return await client.cancel_run(run_id)
    except errors.Unavailable:
        return None
