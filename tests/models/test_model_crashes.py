"""What becomes of a model's run when a process of the mesh is killed."""

import asyncio

from penstock.client import RunEvent, RunState, Transcript
from penstock.v1 import run_event_pb2 as events
from penstock.wire.status import from_status
from tests.models.model_mesh import ModelMesh
from tests.models.model_process import ModelProcess
from tests.models.reading import of_kind


async def test_a_killed_executor_repeats_the_model_and_not_its_tools(
    split_mesh: ModelMesh, model_server: ModelProcess
) -> None:
    """SIGKILL after a tool's effect: the next attempt asks the model anew, and the tool is answered from the record."""
    executor = split_mesh.daemons["executor"]
    seen: list[RunEvent] = []
    async with split_mesh.client() as client, asyncio.timeout(60):
        async for event in client.stream_run('uses_and_waits counts {"word": "once"}', agent="model"):
            seen.append(event)
            if event.HasField("token") and event.attempt == 1:
                await executor.kill()
                await executor.start()
            elif event.HasField("token") and event.token.text == "so ":
                await model_server.release((await model_server.seen("uses_and_waits"))[-1]["number"])
    assert [result.tool_result.from_record for result in of_kind(seen, "tool_result")] == [False, True]
    assert _noted(split_mesh, "once") == 1
    assert Transcript().consume_all(seen).text == "so 1"
    assert seen[-1].run_finished.state == RunState.RUN_STATE_SUCCEEDED


async def test_a_model_is_not_told_to_go_on_when_what_a_tool_did_is_not_known(split_mesh: ModelMesh) -> None:
    """The tools layer dies within a call whose effect happens once: the run ends with that unknown outcome."""
    tools = split_mesh.daemons["tools"]
    seen: list[RunEvent] = []
    try:
        async with split_mesh.client() as client, asyncio.timeout(60):
            async for event in client.stream_run('uses counts_and_hangs {"word": "maybe"}', agent="model"):
                seen.append(event)
                if event.HasField("tool_claimed"):
                    await _called(split_mesh, "maybe")
                    await tools.kill()
    finally:
        await tools.kill()
        await tools.start()
    assert of_kind(seen, "tool_result")[0].tool_result.outcome == events.TOOL_OUTCOME_UNKNOWN
    assert from_status(seen[-1].run_finished.error).reason == "TOOL_OUTCOME_UNKNOWN"
    assert _noted(split_mesh, "maybe") == 1


async def _called(mesh: ModelMesh, word: str) -> None:
    while not _noted(mesh, word):  # noqa: ASYNC110 - another process's file sets no event of ours
        await asyncio.sleep(0.02)


def _noted(mesh: ModelMesh, word: str) -> int:
    counted = mesh.directory / "counted"
    return counted.read_text().splitlines().count(word) if counted.exists() else 0
