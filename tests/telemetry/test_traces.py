"""Traces of real processes, as a collector gets them: in one process, and in a process per layer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from penstock.v1 import gateway_pb2 as pb
from penstock.v1 import gateway_pb2_grpc
from penstock.v1.run_pb2 import RUN_STATE_FAILED, RUN_STATE_SUCCEEDED, Content, RunSpec
from penstock.wire.errors import NotFound
from tests.telemetry.collector import Collector, Seen, collecting, in_trace, one, path_to, tree
from tests.topologies.mesh import Mesh
from tests.topologies.waiting import too_late

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("traced")]

TOPOLOGIES = ("one process", "process per layer")

# What a run by one agent with one tool looks like, whatever the topology. Descriptions are remembered between runs.
RUN = """\
internal penstock.run
  client ExecutorService/Execute
    server ExecutorService/Execute
      internal invoke_agent tells
        internal execute_tool add
          client ToolRunnerService/CallTool
            server ToolRunnerService/CallTool"""


@dataclass(frozen=True, slots=True)
class Traced:
    """Represents a mesh and the collector that it exports to."""

    mesh: Mesh
    collector: Collector


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=TOPOLOGIES)
async def traced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    """Gives each topology in turn, exporting."""
    async with collecting() as collector:
        mesh = Mesh(request.param, tmp_path_factory.mktemp("traced"))
        try:
            await mesh.start(**collector.environment)
            async with mesh.client() as client:
                # What is remembered from the first run on is in no later one's trace.
                warm = await client.execute_run("warm up", agent="tells")
                await collector.run(warm.run_id)
            yield Traced(mesh, collector)
        finally:
            await mesh.stop()


async def test_a_run_is_one_trace_from_the_gateway_to_the_tool(traced: Traced) -> None:
    """Each span is beneath what caused it, and says which run it is about."""
    async with traced.mesh.client() as client:
        run = await client.execute_run("add", agent="tells", session="s-1")
    spans = await traced.collector.run(run.run_id)
    assert run.state == RUN_STATE_SUCCEEDED
    assert {span.trace_id for span in spans} == {run.trace_id}
    driven = one(spans, "internal penstock.run")
    inside = [span for span in spans if driven.label in path_to(span, spans)]
    assert tree(inside) == RUN
    assert path_to(driven, spans) == [
        "server GatewayService/ExecuteRun",
        "client OrchestratorService/StartRun",
        "server OrchestratorService/StartRun",
        "internal penstock.run",
    ]
    for label in ("server GatewayService/ExecuteRun", "server ExecutorService/Execute", "internal execute_tool add"):
        assert one(spans, label).facts["penstock.run_id"] == run.run_id
    agent, tool = one(spans, "internal invoke_agent tells"), one(spans, "internal execute_tool add")
    assert (agent.facts["gen_ai.operation.name"], agent.facts["gen_ai.agent.name"]) == ("invoke_agent", "tells")
    assert agent.facts["gen_ai.conversation.id"] == "s-1"
    assert (tool.facts["gen_ai.tool.name"], tool.facts["penstock.tool.outcome"]) == ("add", "succeeded")
    assert driven.facts["penstock.run.state"] == "succeeded"
    assert not any(span.failed for span in spans)


async def test_each_process_says_who_it_is(traced: Traced) -> None:
    """By the names that OpenTelemetry has for it, and by its layers."""
    async with traced.mesh.client() as client:
        run = await client.execute_run("who", agent="echo")
    spans = await traced.collector.run(run.run_id)
    executor = one(spans, "server ExecutorService/Execute").resource
    alone = traced.mesh.topology != "one process"
    assert executor["service.name"] == ("penstock-executor" if alone else "penstock")
    assert executor["deployment.environment.name"] == "development"
    layers = [value.string_value for value in executor["penstock.layers"].values]
    assert ("executor" in layers, len(layers)) == (True, 1 if alone else 5)
    at_work = {span.facts["penstock.layer"] for span in spans if span.kind == "server"}
    assert {"gateway", "orchestrator", "executor"} <= at_work
    instances = {span.resource["service.instance.id"] for span in spans}
    assert len(instances) == (len(at_work) if alone else 1)


async def test_a_run_in_the_background_keeps_the_trace_of_the_request_that_asked(traced: Traced) -> None:
    """Its span ends after the request's, and is beneath it all the same."""
    async with traced.mesh.client() as client:
        created = await client.create_run("20", agent="paced")
        run = await client.execute_run("20", agent="echo")
    spans = await traced.collector.run(created.run_id)
    driven = one(spans, "internal penstock.run")
    assert path_to(driven, spans)[0] == "server GatewayService/CreateRun"
    assert created.trace_id == driven.trace_id != run.trace_id


async def test_who_reads_a_run_of_another_request_is_linked_to_it(traced: Traced) -> None:
    """The reader's trace is its own; the link leads to the request that asked for the run."""
    async with traced.mesh.client() as client:
        run = await client.execute_run("read me", agent="echo")
        async for _ in client.attach_run(run.run_id):
            pass
    spans = await traced.collector.until(
        lambda spans: [s for s in spans if s.label == "server GatewayService/AttachRun" and s.links]
    )
    reader = one((s for s in spans if s.links), "server GatewayService/AttachRun")
    asked = one(await traced.collector.run(run.run_id), "server OrchestratorService/StartRun")
    assert reader.trace_id != run.trace_id
    assert reader.links == ((run.trace_id, asked.span_id),)
    assert reader.facts["penstock.run_id"] == run.run_id


async def test_appends_are_linked_to_all_the_runs_whose_events_they_carry(traced: Traced) -> None:
    """A batch is part of no run's trace alone, and findable from each."""
    async with traced.mesh.client() as client:
        runs = await asyncio.gather(*(client.execute_run("40", agent="paced") for _ in range(12)))
    executing = [one(await traced.collector.run(run.run_id), "server ExecutorService/Execute") for run in runs]

    def appends(spans: list[Seen]) -> list[Seen]:
        return [span for span in spans if span.label == "client RunLogService/AppendEvents"]

    def linked(spans: list[Seen]) -> set[tuple[str, str]]:
        return {link for span in appends(spans) for link in span.links}

    wanted = {(span.trace_id, span.span_id) for span in executing}
    spans = await traced.collector.until(lambda spans: wanted <= linked(spans))
    assert all(not span.parent_id and span.links for span in appends(spans))
    assert any(len(wanted.intersection(span.links)) > 1 for span in appends(spans))


async def test_a_failing_agent_is_an_error_of_its_own_and_not_of_the_calls(traced: Traced) -> None:
    """Statuses speak of the call; the run, the agent and its tool say how they ended, and no user's text is in them."""
    async with traced.mesh.client() as client:
        run = await client.execute_run("secret-0815", agent="asks_wrongly")
    spans = await traced.collector.run(run.run_id)
    assert run.state == RUN_STATE_FAILED
    failed = {span.label for span in spans if span.failed}
    assert failed == {"internal penstock.run", "internal invoke_agent asks_wrongly", "internal execute_tool ad"}
    assert one(spans, "internal execute_tool ad").facts["error.type"] == "not_called"
    assert one(spans, "internal penstock.run").facts["penstock.run.state"] == "failed"
    assert "secret" not in str(spans)


async def test_a_cancelled_run_ends_all_its_spans(traced: Traced) -> None:
    """The agent is told to stop, and nobody failed."""
    async with traced.mesh.client() as client:
        async with client.stream_run("on and on", agent="endless") as stream:
            async for _ in stream:
                break
            await client.cancel_run(stream.run_id)
            run_id = stream.run_id
        with pytest.raises(NotFound):
            await client.get_run("nobody")
    spans = await traced.collector.run(run_id)
    assert one(spans, "internal penstock.run").facts["penstock.run.state"] == "cancelled"
    assert one(spans, "internal invoke_agent endless").facts["penstock.outcome"] == "cancelled"
    executing = one(spans, "server ExecutorService/Execute")
    assert (executing.facts["rpc.response.status_code"], executing.failed) == ("CANCELLED", False)
    spans = await traced.collector.until(lambda spans: [s for s in spans if s.name.endswith("/GetRun")])
    asked = next(span for span in spans if span.label == "server GatewayService/GetRun")
    assert (asked.facts["rpc.response.status_code"], asked.failed) == ("NOT_FOUND", False)


async def test_a_call_whose_time_is_over_says_so(traced: Traced) -> None:
    """The run goes on in its trace."""
    async with traced.mesh.client() as client:
        run_id = await too_late(client, "100", agent="paced", wait=0.4)
    spans = await traced.collector.run(run_id)
    waited = one(spans, "server GatewayService/ExecuteRun")
    assert (waited.facts["rpc.response.status_code"], waited.failed) == ("DEADLINE_EXCEEDED", True)
    assert one(spans, "internal penstock.run").facts["penstock.run.state"] == "succeeded"


async def test_a_caller_who_is_traced_is_above_it_all(traced: Traced) -> None:
    """By W3C's header, whatever made it; one that asks for no recording gets none."""
    trace_id, span_id = "7d" * 16, "1f" * 8
    spec = RunSpec(agent="echo", input=[Content(text="hello")])
    async with grpc.aio.insecure_channel(traced.mesh.address) as channel:
        stub = gateway_pb2_grpc.GatewayServiceStub(channel)

        async def execute(traceparent: str) -> str:
            answer = await stub.ExecuteRun(pb.ExecuteRunRequest(spec=spec), metadata=[("traceparent", traceparent)])
            return str(answer.run.run_id)

        unrecorded = await execute(f"00-{'8e' * 16}-{span_id}-00")
        recorded = await execute(f"00-{trace_id}-{span_id}-01")
    spans = await traced.collector.until(
        lambda spans: [s for s in spans if s.trace_id == trace_id and s.name.endswith("/ExecuteRun")]
    )
    call = one(in_trace(spans, trace_id), "server GatewayService/ExecuteRun")
    assert (call.parent_id, call.facts["penstock.run_id"]) == (span_id, recorded)
    assert not in_trace(spans, "8e" * 16)
    assert not any(span.facts.get("penstock.run_id") == unrecorded for span in spans)


async def test_health_and_what_layers_do_for_themselves_are_in_no_trace(traced: Traced) -> None:
    """Of all that the mesh has done by now, each trace begins at the door or is a batch of several runs' doings."""
    roots = {span.label for span in traced.collector.spans if not span.parent_id}
    batches = {"client RunLogService/AppendEvents", "client RunLogService/RecordRuns"}
    assert all(label in batches or label.startswith("server GatewayService/") for label in roots), roots


async def test_a_run_taken_over_stays_in_its_trace_with_a_link_to_the_request(tmp_path: Path) -> None:
    """The next owner knows no more of the request than what the log kept."""
    async with collecting() as collector:
        mesh = Mesh("process per layer", tmp_path)
        try:
            await mesh.start(PENSTOCK_LAYERS__ORCHESTRATOR__LEASE_SECONDS="1", **collector.environment)
            async with mesh.client() as client:
                async with client.stream_run("on and on", agent="endless") as stream:
                    async for _ in stream:
                        break
                    asked = stream.run
                await collector.until(
                    lambda spans: [s for s in spans if s.label == "server OrchestratorService/StartRun"]
                )
                await mesh.daemons["orchestrator"].kill()
                await mesh.daemons["orchestrator"].start()
            spans = await collector.until(lambda spans: [s for s in spans if s.name == "penstock.run"])
        finally:
            await mesh.stop()
    driven = one(spans, "internal penstock.run")
    request = one(in_trace(spans, asked.trace_id), "server OrchestratorService/StartRun")
    assert (driven.trace_id, driven.parent_id) == (asked.trace_id, request.span_id)
    assert driven.links == ((asked.trace_id, request.span_id),)
    assert (driven.facts["penstock.run.claimed"], driven.failed) == (True, True)
