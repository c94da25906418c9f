"""Metrics as Prometheus fetches them from a real process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from penstock.client import Client
from penstock.wire.errors import NotFound
from tests.telemetry.fetch import fetched
from tests.topologies.mesh import Mesh

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("metered")]

Fetch = Callable[[], Coroutine[Any, Any, list[Sample]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fetch(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fetch]:
    """Runs a mesh through every kind of end, and gives what fetches its metrics."""
    directory: Path = tmp_path_factory.mktemp("metered")
    mesh = Mesh("one process", directory)
    try:
        await mesh.start(PENSTOCK_METRICS_LISTEN="127.0.0.1:0")
        async with mesh.client() as client:
            await exercised(client)
        banner = mesh.daemons["all"].log.read_text()
        (line,) = (line for line in banner.splitlines() if line.startswith("  metrics"))

        async def samples() -> list[Sample]:
            page = await fetched(line.split()[1])
            return [sample for family in text_string_to_metric_families(page) for sample in family.samples]

        yield samples
    finally:
        await mesh.stop()


async def exercised(client: Client) -> None:
    """Has three runs succeed, one with a tool, one fail for a tool that nobody has, and one be cancelled."""
    await client.execute_run("one", agent="echo")
    await client.execute_run("two", agent="echo")
    await client.execute_run("three", agent="tells", session="s-1")
    await client.execute_run("four", agent="asks_wrongly")
    async with client.stream_run("five", agent="endless") as stream:
        async for _ in stream:
            break
        await client.cancel_run(stream.run_id)
        async for _ in stream:
            pass
    with pytest.raises(NotFound):
        await client.get_run("nobody")


def counts(samples: list[Sample], name: str, *labels: str) -> dict[Any, float]:
    """Returns the values of a metric by some of its labels."""
    found = {
        tuple(sample.labels.get(label) for label in labels): sample.value for sample in samples if sample.name == name
    }
    return {key[0] if len(key) == 1 else key: value for key, value in found.items()}


async def test_runs_are_counted_by_how_they_ended(fetch: Fetch) -> None:
    """And timed; none is going on now."""
    samples = await fetch()
    ends = {"succeeded": 3.0, "failed": 1.0, "cancelled": 1.0}
    assert counts(samples, "penstock_runs_started_total", "penstock_run_origin") == {"recorded": 5}
    assert counts(samples, "penstock_runs_finished_total", "penstock_run_state") == ends
    assert counts(samples, "penstock_run_duration_seconds_count", "penstock_run_state") == ends
    assert list(counts(samples, "penstock_runs_going").values()) == [0]


async def test_calls_are_counted_by_method_and_status(fetch: Fetch) -> None:
    """Rate, errors and duration of each; the door's and those between layers alike."""
    samples = await fetch()
    labels = ("rpc_method", "rpc_response_status_code")
    server = counts(samples, "rpc_server_call_duration_seconds_count", *labels)
    client = counts(samples, "rpc_client_call_duration_seconds_count", *labels)
    assert server["penstock.v1.GatewayService/ExecuteRun", "OK"] == 4
    assert server["penstock.v1.GatewayService/GetRun", "NOT_FOUND"] == 1
    for ends in (server, client):
        assert ends["penstock.v1.OrchestratorService/StartRun", "OK"] == 5
        assert ends["penstock.v1.ToolRunnerService/CallTool", "OK"] == 1
    assert not any("grpc.health" in method or "reflection" in method for method, _ in server)


async def test_calls_in_progress_are_told_by_layer_short_and_long_apart(fetch: Fetch) -> None:
    """At rest there are the tails of the log and the claim, which are long."""
    going = counts(await fetch(), "penstock_server_calls", "penstock_layer", "penstock_call_length")
    assert all(value == 0 for (_, length), value in going.items() if length == "short")
    assert going["gateway", "long"] == 0
    assert going["state", "long"] >= 1


async def test_agents_tools_and_appends_have_their_own(fetch: Fetch) -> None:
    """A tool's name that an agent made up is no label."""
    samples = await fetch()
    agents = counts(samples, "penstock_agent_duration_seconds_count", "gen_ai_agent_name", "penstock_outcome")
    assert agents == {
        ("echo", "succeeded"): 2,
        ("tells", "succeeded"): 1,
        ("asks_wrongly", "failed"): 1,
        ("endless", "cancelled"): 1,
    }
    first = counts(samples, "penstock_agent_time_to_first_token_seconds_count", "gen_ai_agent_name")
    assert first == {"echo": 2, "tells": 1, "endless": 1}
    tools = counts(samples, "penstock_tool_duration_seconds_count", "gen_ai_tool_name", "penstock_tool_outcome")
    assert tools == {("add", "succeeded"): 1, ("_OTHER", "not_called"): 1}
    assert sum(counts(samples, "penstock_append_entries_count").values()) >= 5
    assert sum(counts(samples, "penstock_append_size_bytes_sum").values()) > 500


async def test_no_label_is_of_an_open_set(fetch: Fetch) -> None:
    """Ids, sessions and what users write would be a time series each."""
    known = {"run-", "req-", "s-1", "nobody", "session", "traceparent"}
    for sample in await fetch():
        if sample.name.startswith(("penstock_", "rpc_")):
            assert not any(piece in value for value in sample.labels.values() for piece in known), sample
