"""Many runs at once, slow readers, and what they cost."""

import asyncio
from pathlib import Path

import grpc.aio

from penstock.client import Client, RunState
from penstock.v1 import gateway_pb2 as pb
from penstock.v1.gateway_pb2_grpc import GatewayServiceStub
from penstock.v1.run_pb2 import Content, RunSpec
from tests.topologies.mesh import Mesh

RUNS = 200
KIBIBYTES = 20_000


def resident_kib(pid: int) -> int:
    """Returns a process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


async def stream(client: Client, numbers: int) -> str:
    """Streams a run to its end and returns its text, having checked that no event is missing."""
    text: list[str] = []
    last = 0
    async for event in client.stream_run(str(numbers), agent="paced"):
        assert event.sequence == last + 1
        last = event.sequence
        text.append(event.token.text)
    assert event.run_finished.state == RunState.RUN_STATE_SUCCEEDED
    return "".join(text)


async def test_two_hundred_streams_at_once_in_one_process(meshes: dict[str, Mesh]) -> None:
    """200 runs stream concurrently through one process, each whole and in order."""
    expected = "".join(f"{number} " for number in range(20))
    clients = [meshes["one process"].client() for _ in range(4)]
    try:
        async with asyncio.timeout(90):
            texts = await asyncio.gather(*(stream(clients[number % 4], 20) for number in range(RUNS)))
    finally:
        for client in clients:
            await client.aclose()
    assert texts == [expected] * RUNS


async def test_a_stopped_reader_costs_bounded_memory_and_stops_nobody(meshes: dict[str, Mesh]) -> None:
    """A reader that stops reading a 20 MB run holds neither its run nor other readers up, nor their bytes in memory."""
    mesh = meshes["one process"]
    spec = RunSpec(agent="flood", input=[Content(text=str(KIBIBYTES))])
    async with grpc.aio.insecure_channel(mesh.address, options=[("grpc.http2.bdp_probe", 0)]) as channel:
        call = GatewayServiceStub(channel).StreamRun(pb.StreamRunRequest(spec=spec))
        first = await call.read()
        before = resident_kib(mesh.daemons["all"].pid)
        async with mesh.client() as client, asyncio.timeout(90):
            last = [event async for event in client.attach_run(first.run.run_id)][-1]
            assert last.run_finished.state == RunState.RUN_STATE_SUCCEEDED
            assert "kept" in (await client.execute_run("kept", agent="echo")).output[0].text
        grown = resident_kib(mesh.daemons["all"].pid) - before
        received = len(first.events)
        while (message := await call.read()) is not grpc.aio.EOF:
            received += len(message.events)
    assert received == last.sequence
    # Less than what the run wrote by far: what the reader did not take lay in the log and not in memory.
    assert grown < KIBIBYTES * 3 / 4
