"""What the benchmark measures telemetry with."""

import asyncio
import sys
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from benchmarks.process import ProcessFailed, serve, stop
from benchmarks.systems import COLLECTOR, check_told


async def test_the_collector_takes_spans_and_says_that_it_did_once(tmp_path: Path) -> None:
    """OpenTelemetry's own exporter is content with its answers."""
    async with asyncio.timeout(120):
        program = [sys.executable, "-m", "benchmarks.hops.otlp_collector"]
        collector = await serve(COLLECTOR, program, tmp_path)
        try:
            exporter = OTLPSpanExporter(endpoint=f"http://{collector.address}", insecure=True)
            span = TracerProvider().get_tracer("test").start_span("one")
            span.end()
            for _ in range(2):
                taken = await asyncio.to_thread(exporter.export, [span])  # type: ignore[list-item]  # the SDK's spans are readable
                assert taken is SpanExportResult.SUCCESS
            await asyncio.to_thread(exporter.shutdown)
        finally:
            await stop(collector.process)
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    assert (tmp_path / f"{COLLECTOR}.log").read_text().splitlines() == [service]


@pytest.mark.parametrize(
    ("arrived", "missing"),
    [("", "TraceService and MetricsService"), ("…trace.v1.TraceService\n", "MetricsService")],
)
def test_a_measurement_of_telemetry_that_exported_nothing_fails(tmp_path: Path, arrived: str, missing: str) -> None:
    """Telemetry that costs nothing because nothing left the process is no figure."""
    (tmp_path / f"{COLLECTOR}.log").write_text(arrived)
    with pytest.raises(ProcessFailed, match=f"collector's {missing};"):
        check_told(tmp_path)


def test_a_measurement_of_telemetry_whose_traces_and_metrics_arrived_stands(tmp_path: Path) -> None:
    """Both were taken by the collector."""
    (tmp_path / f"{COLLECTOR}.log").write_text("…trace.v1.TraceService\n…metrics.v1.MetricsService\n")
    check_told(tmp_path)
