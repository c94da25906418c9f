"""A collector of spans that speaks OTLP over gRPC, as the real ones do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

_KINDS: Final = {
    Span.SPAN_KIND_INTERNAL: "internal",
    Span.SPAN_KIND_SERVER: "server",
    Span.SPAN_KIND_CLIENT: "client",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """Represents a span as it was received."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    failed: bool
    facts: Mapping[str, Any]
    links: tuple[tuple[str, str], ...]
    resource: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The kind, and the name without its package, as trees show it."""
        return f"{self.kind} {self.name.removeprefix('penstock.v1.')}"


@dataclass(eq=False)
class Collector(rpc.TraceServiceServicer):
    """Keeps every span that it gets."""

    address: str = ""
    spans: list[Seen] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a process export to here, soon after each span's end."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self.address}",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        """Takes in spans."""
        for group in request.resource_spans:
            resource = _facts(group.resource.attributes)
            self.spans += [_seen(span, resource) for scope in group.scope_spans for span in scope.spans]
        async with self._changed:
            self._changed.notify_all()
        return pb.ExportTraceServiceResponse()

    async def until(self, enough: Callable[[list[Seen]], Any]) -> list[Seen]:
        """Waits until the spans are enough, and returns them."""
        try:
            async with asyncio.timeout(20), self._changed:
                await self._changed.wait_for(lambda: enough(self.spans))
        except TimeoutError:
            raise AssertionError("not enough spans:\n" + "\n".join(sorted(s.label for s in self.spans))) from None
        return list(self.spans)

    async def run(self, run_id: str) -> list[Seen]:
        """Waits until a run's trace has come as a whole, and returns its spans."""
        spans = await self.until(lambda spans: _driven(spans, run_id) and _complete(spans, run_id))
        return in_trace(spans, _driven(spans, run_id)[0].trace_id)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Serves a collector for a block."""
    collector = Collector()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    rpc.add_TraceServiceServicer_to_server(collector, server)
    collector.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)


def in_trace(spans: Iterable[Seen], trace_id: str) -> list[Seen]:
    """Returns the spans of one trace."""
    return [span for span in spans if span.trace_id == trace_id]


def path_to(span: Seen, spans: Iterable[Seen]) -> list[str]:
    """Returns the labels from the root to a span."""
    by_id = {each.span_id: each for each in spans}
    way = [span.label]
    while (parent := by_id.get(span.parent_id)) is not None:
        way.append(parent.label)
        span = parent
    return way[::-1]


def one(spans: Iterable[Seen], label: str) -> Seen:
    """Returns the only span with a label."""
    found = [span for span in spans if span.label == label]
    assert len(found) == 1, f"{len(found)} spans {label!r}"
    return found[0]


def tree(spans: list[Seen]) -> str:
    """Writes spans as a tree, for people."""
    ids = {span.span_id for span in spans}
    lines: list[str] = []

    def write(span: Seen, depth: int) -> None:
        lines.append(f"{'  ' * depth}{span.label}{' !' if span.failed else ''}")
        for child in sorted((each for each in spans if each.parent_id == span.span_id), key=lambda each: each.label):
            write(child, depth + 1)

    for span in sorted(spans, key=lambda each: each.label):
        if span.parent_id not in ids:
            write(span, 0)
    return "\n".join(lines)


def _driven(spans: list[Seen], run_id: str) -> list[Seen]:
    return [span for span in spans if span.name == "penstock.run" and span.facts.get("penstock.run_id") == run_id]


def _complete(spans: list[Seen], run_id: str) -> bool:
    """Whether all spans of the run's trace have their parents, and both ends of each call have come."""
    trace = in_trace(spans, _driven(spans, run_id)[0].trace_id)
    ids, parents = {span.span_id for span in trace}, {span.parent_id for span in trace}
    whole = all(not span.parent_id or span.parent_id in ids for span in trace)
    return whole and all(span.span_id in parents for span in trace if span.kind == "client")


def _seen(span: Any, resource: Mapping[str, Any]) -> Seen:
    return Seen(
        span.name,
        _KINDS.get(span.kind, "?"),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.status.code == Status.STATUS_CODE_ERROR,
        _facts(span.attributes),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        resource,
    )


def _facts(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
