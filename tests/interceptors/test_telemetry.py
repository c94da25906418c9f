"""What calls leave in traces and metrics, at both ends and over both transports."""

import asyncio
from itertools import groupby
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from penstock.interceptors.context import Door
from penstock.interceptors.rules import LayerRules
from penstock.wire.context import RequestContext, current_context, use_context
from penstock.wire.errors import NotFound
from tests.telemetry.recording import Recorded, recording

from .conftest import Serve, echo, failure, too_slow

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
METHOD = "penstock.v1.GatewayService/GetRun"


async def test_a_call_is_a_span_under_its_callers(serve: Serve, recorded: Recorded) -> None:
    """Its ids are what the handler's context and the log have, and it says whose call it was."""
    seen: list[RequestContext | None] = []

    async def look(text: str, context: Any) -> str:
        seen.append(current_context())
        return text

    async with serve(look, door=Door("house")) as served:
        await served.call(metadata=[("traceparent", SAMPLED), ("tracestate", "a=1"), ("x-request-id", "r-1")])
    (span,) = recorded.spans
    (inside,) = seen
    assert inside is not None
    assert (span.name, span.kind.name) == (METHOD, "SERVER")
    assert span.parent is not None
    assert format_span_id(span.parent.span_id) == PARENT
    assert inside.traceparent == f"00-{TRACE}-{format_span_id(span.context.span_id)}-01"
    assert (inside.parent_span_id, inside.tracestate) == (PARENT, "a=1")
    assert dict(span.attributes or {}) == {
        "rpc.system.name": "grpc",
        "rpc.method": METHOD,
        "rpc.response.status_code": "OK",
        "penstock.layer": "gateway",
        "penstock.request_id": "r-1",
        "penstock.tenant": "house",
    }


@pytest.mark.parametrize(
    ("given", "kept"), [(["a=1", "b=2"], "a=1,b=2"), ([",".join(f"v{n}={'x' * 200}" for n in range(20))], "")]
)
async def test_the_callers_tracestate_travels_on_whole_or_not_at_all(
    serve: Serve, recorded: Recorded, given: list[str], kept: str
) -> None:
    """Lists are put together; one of thousands of characters would go with every inner call, until one is refused."""
    seen: list[RequestContext | None] = []

    async def look(text: str, context: Any) -> str:
        seen.append(current_context())
        return text

    async with serve(look, door=Door("house")) as served:
        await served.call(metadata=[("traceparent", SAMPLED), *(("tracestate", state) for state in given)])
    (inside,) = seen
    assert inside is not None
    assert (inside.trace_id, inside.tracestate) == (TRACE, kept)


async def test_the_span_is_current_in_the_handler_so_that_what_it_calls_is_beneath(
    serve: Serve, recorded: Recorded
) -> None:
    """An instrumented library finds it there; a stream's handler has it, too."""

    async def work(text: str, context: Any) -> str:
        with trace.get_tracer("a library").start_as_current_span("work"):
            return text

    async with serve(work) as served:
        await served.call()
        assert [message.value async for message in served.stream()] == ["hello"]
    for name in (METHOD, "penstock.v1.GatewayService/AttachRun"):
        (call,) = (span for span in recorded.spans if span.name == name)
        assert any(span.parent == call.context for span in recorded.spans if span.name == "work")


@pytest.mark.parametrize(("code", "failed"), [("NOT_FOUND", False), ("OUT_OF_RANGE", False), ("INTERNAL", True)])
async def test_only_the_servers_own_faults_are_errors(
    serve: Serve, recorded: Recorded, code: str, failed: bool
) -> None:
    """A caller who asked for what is not there is no failure of the server's; the caller's end calls it one."""

    async def end(text: str, context: Any) -> str:
        match text:
            case "OUT_OF_RANGE":
                await context.abort(grpc.StatusCode.OUT_OF_RANGE, "away")
            case "NOT_FOUND":
                raise NotFound("no")
        raise RuntimeError("secret-4711")

    async with serve(end, inner=True) as served:
        with use_context(RequestContext("r-1", trace_flags=1)):
            await failure(served.call(code))
    (server,), (client,) = recorded.by_kind("SERVER"), recorded.by_kind("CLIENT")
    for span, wrong in ((server, failed), (client, True)):
        assert span.attributes is not None
        assert span.attributes["rpc.response.status_code"] == code
        assert (span.status.status_code is StatusCode.ERROR) is wrong
        assert span.attributes.get("error.type") == (code if wrong else None)
        assert "secret" not in span.to_json()


async def test_cancel_and_deadline_are_told_apart_at_both_ends(serve: Serve, recorded: Recorded) -> None:
    """Being given up is no error of the server's, being too slow is; every span ends."""
    begun: asyncio.Queue[None] = asyncio.Queue()
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def wait(text: str, context: Any) -> str:
        context.add_done_callback(lambda _: ended.put_nowait(None))
        begun.put_nowait(None)
        await asyncio.Event().wait()
        return text

    async with serve(wait, rules=LayerRules("gateway"), inner=True) as served:
        with use_context(RequestContext("r-1", trace_flags=1)):
            for method, begin in (("ExecuteRun", served.call), ("AttachRun", served.stream)):
                call = begin(method=method)
                await begun.get()
                call.cancel()
                await ended.get()
                await too_slow(begin, begun, method=method)
                await ended.get()
    codes = [
        ((span.attributes or {})["rpc.response.status_code"], span.status.status_code is StatusCode.ERROR)
        for span in recorded.by_kind("SERVER")
    ]
    assert [code for code, _ in groupby(codes)] == [("CANCELLED", False), ("DEADLINE_EXCEEDED", True)] * 2
    at_caller = [(span.attributes or {})["rpc.response.status_code"] for span in recorded.by_kind("CLIENT")]
    assert [code for code, _ in groupby(at_caller)] == ["CANCELLED", "DEADLINE_EXCEEDED"] * 2


async def test_both_ends_of_a_call_are_parent_and_child(serve: Serve, recorded: Recorded) -> None:
    """The caller's span goes under the request that is being handled, or under what is current."""
    request = RequestContext("r-1", trace_flags=1)
    async with serve(echo, inner=True) as served:
        with use_context(request):
            await served.call()
            with trace.get_tracer("an author's").start_as_current_span("step") as step:
                await served.call()
    (first, second), (at_first, at_second) = recorded.by_kind("CLIENT"), recorded.by_kind("SERVER")
    assert first.parent is not None
    assert format_trace_id(first.context.trace_id) == request.trace_id
    assert format_span_id(first.parent.span_id) == request.span_id
    assert second.parent == step.get_span_context()
    assert [span.parent and span.parent.span_id for span in (at_first, at_second)] == [
        first.context.span_id,
        second.context.span_id,
    ]


async def test_work_that_is_nobodys_makes_no_trace_of_its_own(serve: Serve, recorded: Recorded) -> None:
    """Leases, tails and claims would fill a collector; at the door every call is somebody's."""
    async with serve(echo, rules=LayerRules("state"), inner=True) as served:
        await served.call()
        assert recorded.spans == []
        await served.call(metadata=[("traceparent", SAMPLED)])
    assert [format_trace_id(span.context.trace_id) for span in recorded.spans] == [TRACE]


async def test_what_the_caller_does_not_sample_is_passed_on_unsampled(serve: Serve) -> None:
    """The decision is made once for a trace; ids are there all the same, for the logs."""
    seen: list[RequestContext | None] = []

    async def look(text: str, context: Any) -> str:
        seen.append(current_context())
        return text

    with recording(TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)) as recorded:
        async with serve(look) as served:
            await served.call(metadata=[("traceparent", SAMPLED)])
    (inside,) = seen
    assert inside is not None
    assert (inside.trace_id, inside.trace_flags) == (TRACE, 0)
    assert recorded.spans == []


async def test_a_refused_request_has_its_spans_trace_in_the_log(
    serve: Serve, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when it was refused before its context was read."""
    caplog.set_level("DEBUG", logger="penstock.calls")
    async with serve(echo) as served:
        await failure(served.call(metadata=[("x-request-id", "no spaces!")]))
    (span,) = recorded.spans
    (line,) = (vars(record) for record in caplog.records if record.name == "penstock.calls")
    assert line["trace_id"] == format_trace_id(span.context.trace_id)


async def test_metrics_count_calls_by_how_they_ended_and_those_in_progress(serve: Serve, recorded: Recorded) -> None:
    """Rate, errors and duration are the histogram's; no attribute is of an open set."""
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def body(text: str, context: Any) -> str:
        begun.release()
        await go_on.wait()
        if text == "missing":
            raise NotFound("no")
        return text

    def going() -> dict[Any, Any]:
        points = recorded.points("penstock.server.calls")
        return {point.attributes["penstock.call.length"]: point.value for point in points}

    async with serve(body, inner=True) as served:
        call, stream = served.call(), served.stream()
        answer = asyncio.ensure_future(_all(stream))
        await begun.acquire()
        await begun.acquire()
        assert going() == {"short": 1, "long": 1}
        go_on.set()
        await call
        await answer
        await failure(served.call("missing"))
    assert going() == {"short": 0, "long": 0}
    for name in ("rpc.server.call.duration", "rpc.client.call.duration"):
        points = {
            (point.attributes["rpc.method"], point.attributes["rpc.response.status_code"]): point
            for point in recorded.points(name)
        }
        assert {key: point.count for key, point in points.items()} == {
            (METHOD, "OK"): 1,
            (METHOD, "NOT_FOUND"): 1,
            ("penstock.v1.GatewayService/AttachRun", "OK"): 1,
        }
        assert all(0 < point.sum < 5 for point in points.values())
        assert points[METHOD, "OK"].explicit_bounds[0] == 0.005


async def _all(stream: Any) -> list[Any]:
    return [message async for message in stream]
