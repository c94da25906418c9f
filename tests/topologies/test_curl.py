"""What people debug with works against the door, and against each layer that runs apart."""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.topologies.mesh import Mesh

BUF = Path(sys.executable).with_name("buf")
TENANT = ("-H", "x-penstock-tenant: default")


async def said(*command: str) -> str:
    """Runs a command and returns what it printed; fails with its complaint when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(90):
        output, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return output.decode()


async def curl(address: str, method: str, request: object, *options: str) -> list[Any]:
    """Calls an rpc as `buf curl` does, by reflection, and returns its answers."""
    output = await said(
        str(BUF),
        "curl",
        "--protocol=grpc",
        "--http2-prior-knowledge",
        *options,
        f"--data={json.dumps(request)}",
        f"http://{address}/penstock.v1.{method}",
    )
    answers, rest = [], output.strip()
    while rest:
        answer, end = json.JSONDecoder().raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].lstrip()
    return answers


async def test_reflection_lists_the_services_of_the_door(mesh: Mesh) -> None:
    """The door shows its own service, health and reflection, and no inner one."""
    listed = await said(
        str(BUF), "curl", "--protocol=grpc", "--http2-prior-knowledge", "--list-services", f"http://{mesh.address}"
    )
    services = set(listed.split())
    assert {"penstock.v1.GatewayService", "grpc.health.v1.Health"} <= services
    assert not any(service in listed for service in ("StateService", "ExecutorService", "RunLogService"))


async def test_a_run_can_be_streamed_by_hand(mesh: Mesh) -> None:
    """StreamRun by reflection streams the run, its first message with the run and without events."""
    spec = {"agent": "echo", "input": [{"text": "by hand"}]}
    answers = await curl(mesh.address, "GatewayService/StreamRun", {"spec": spec})
    assert answers[0]["run"]["runId"].startswith("run-")
    assert "events" not in answers[0]
    events = [event for answer in answers for event in answer.get("events", [])]
    assert "".join(event.get("token", {}).get("text", "") for event in events) == "by hand "
    assert events[-1]["runFinished"]["state"] == "RUN_STATE_SUCCEEDED"


async def test_each_layer_that_runs_apart_can_be_called_by_hand(meshes: dict[str, Mesh]) -> None:
    """Orchestrator, executor, tools and state answer at their own ports."""
    daemons = meshes["process per layer"].daemons
    run = {"runId": "run-by-hand", "spec": {"agent": "echo", "input": [{"text": "hello"}]}}
    (started,) = await curl(daemons["orchestrator"].listen, "OrchestratorService/StartRun", run, *TENANT)
    assert started["created"] is True
    spoken = await curl(
        daemons["executor"].listen,
        "ExecutorService/StreamExecute",
        {"agent": {"agent": "echo", "task": "to nobody"}},
        *TENANT,
    )
    events = [event for answer in spoken for event in answer["events"]]
    assert [event["sequence"] for event in events] == [str(number) for number in range(1, len(events) + 1)]
    assert "stepFinished" in events[-1]
    call = {"tool": "add", "argumentsJson": '{"a": 1, "b": 2}'}
    (called,) = await curl(daemons["tools"].listen, "ToolRunnerService/CallTool", call, *TENANT)
    assert called["resultJson"] == "3"
    (kept,) = await curl(
        daemons["state"].listen, "StateService/SetValue", {"tenant": "default", "key": "k", "data": "dg=="}
    )
    assert int(kept["version"]) > 0
    log = await curl(
        daemons["state"].listen,
        "RunLogService/ReadEvents",
        {"tenant": "default", "runId": "run-by-hand", "follow": True},
    )
    assert "runFinished" in log[-1]["events"][-1]


async def test_health_answers_by_hand_at_every_port(meshes: dict[str, Mesh]) -> None:
    """The standard health protocol tells that each layer is serving, by its service's name and overall."""
    services = {
        "gateway": "GatewayService",
        "orchestrator": "OrchestratorService",
        "executor": "ExecutorService",
        "tools": "ToolRunnerService",
        "state": "RunLogService",
    }
    for layer, service in services.items():
        address = meshes["process per layer"].daemons[layer].listen
        for name in ("", f"penstock.v1.{service}"):
            output = await said(
                str(BUF),
                "curl",
                "--protocol=grpc",
                "--http2-prior-knowledge",
                f"--data={json.dumps({'service': name})}",
                f"http://{address}/grpc.health.v1.Health/Check",
            )
            assert json.loads(output)["status"] == "SERVING"


@pytest.mark.skipif(shutil.which("grpcurl") is None, reason="grpcurl is not on PATH; buf curl above does the same")
async def test_grpcurl_lists_and_calls(mesh: Mesh) -> None:
    """grpcurl, where it is installed, lists the door's services and calls it."""
    assert "penstock.v1.GatewayService" in await said("grpcurl", "-plaintext", mesh.address, "list")
    status = await said("grpcurl", "-plaintext", mesh.address, "penstock.v1.GatewayService/GetStatus")
    assert len(json.loads(status)["layers"]) == 5
