"""One trace with peers that others have instrumented, and with programs that use the client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from penstock.client import Client
from penstock.v1 import gateway_pb2 as pb
from penstock.v1 import gateway_pb2_grpc
from penstock.v1.run_pb2 import Content, RunSpec
from penstock.wire.context import RequestContext, use_context
from penstock.wire.errors import Unavailable
from tests.telemetry.collector import collecting, in_trace, one, path_to
from tests.telemetry.recording import recording
from tests.topologies.mesh import Mesh


class Gateway(gateway_pb2_grpc.GatewayServiceServicer):
    """Answers with nothing, and notes what it was sent."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []

    async def ListAgents(self, request: Any, context: Any) -> pb.ListAgentsResponse:  # noqa: N802 - the rpc's name
        """Knows no agents."""
        self.metadata.append(dict(context.invocation_metadata()))
        return pb.ListAgentsResponse()


@asynccontextmanager
async def serving(gateway: Gateway, *interceptors: Any) -> AsyncIterator[str]:
    """Serves a gateway that is not ours for a block."""
    server = grpc.aio.server(interceptors=interceptors, options=[("grpc.so_reuseport", 0)])
    gateway_pb2_grpc.add_GatewayServiceServicer_to_server(gateway, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_a_caller_instrumented_by_the_contrib_package_is_above_our_run(tmp_path: Path) -> None:
    """A user's service, its gateway call and the tool that the run calls in the end are one trace."""
    provider = TracerProvider(shutdown_on_exit=False)
    spec = RunSpec(agent="tells", input=[Content(text="go")])
    async with collecting() as collector:
        mesh = Mesh("one process", tmp_path)
        try:
            await mesh.start(**collector.environment)
            interceptors = aio_client_interceptors(tracer_provider=provider)
            async with grpc.aio.insecure_channel(mesh.address, interceptors=interceptors) as channel:
                stub = gateway_pb2_grpc.GatewayServiceStub(channel)
                with provider.get_tracer("a service").start_as_current_span("handle order") as order:
                    answer = await stub.ExecuteRun(pb.ExecuteRunRequest(spec=spec))
            ours = format_trace_id(order.get_span_context().trace_id)
            spans = await collector.until(
                lambda spans: [s for s in in_trace(spans, ours) if s.label == "server GatewayService/ExecuteRun"]
            )
        finally:
            await mesh.stop()
    assert answer.run.trace_id == ours
    spans = in_trace(collector.spans, ours)
    door = one(spans, "server GatewayService/ExecuteRun")
    assert door.parent_id not in (
        "",
        format_span_id(order.get_span_context().span_id),
    )  # it is the caller's client span
    assert path_to(one(spans, "server ToolRunnerService/CallTool"), spans)[0] == door.label


async def test_a_server_instrumented_by_the_contrib_package_is_beneath_our_call() -> None:
    """Our client's span is the parent of its server's."""
    gateway = Gateway()
    with recording() as recorded:
        provider = trace.get_tracer_provider()
        peer = aio_server_interceptor(tracer_provider=provider)
        async with serving(gateway, peer) as address, Client(address) as client:
            with trace.get_tracer("a program").start_as_current_span("job") as job:
                await client.list_agents()
    (calling,), (serving_,) = recorded.by_kind("CLIENT"), recorded.by_kind("SERVER")
    assert calling.parent == job.get_span_context()
    assert serving_.parent is not None
    assert serving_.parent.span_id == calling.context.span_id
    assert len({span.context.trace_id for span in recorded.spans}) == 1
    assert calling.name == "penstock.v1.GatewayService/ListAgents"


async def test_a_program_that_records_has_a_trace_of_each_call() -> None:
    """Also without a span of its own around it; a failure is one at the caller's end."""
    with recording() as recorded:
        async with Client("127.0.0.1:1") as client:
            with pytest.raises(Unavailable):
                await client.list_agents()
    assert recorded.by_kind("CLIENT")
    for span in recorded.by_kind("CLIENT"):
        assert span.parent is None
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["rpc.response.status_code"] == "UNAVAILABLE"


async def test_a_program_that_does_not_record_leaves_the_decision_to_the_servers() -> None:
    """A trace that it begins and nobody records would say `not sampled`, and servers would keep to that."""
    gateway = Gateway()
    async with serving(gateway) as address, Client(address) as client:
        await client.list_agents()
        with use_context(RequestContext("r-1", trace_id="5a" * 16, trace_flags=1)):
            await client.list_agents()
    alone, within = gateway.metadata
    assert "traceparent" not in alone
    assert within["traceparent"].startswith(f"00-{'5a' * 16}-")
    assert within["traceparent"].endswith("-01")
