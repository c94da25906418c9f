"""A program's own provider of spans or metrics, as the global one for the length of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import opentelemetry.metrics
import opentelemetry.trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@dataclass(frozen=True, slots=True)
class Recorded:
    """Holds what was recorded so far."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in that order."""
        return list(self.exporter.get_finished_spans())

    def by_kind(self, kind: str) -> list[ReadableSpan]:
        """Returns the spans of a kind, such as SERVER."""
        return [span for span in self.spans if span.kind.name == kind]

    def points(self, name: str) -> list[Any]:
        """Returns the data points of a metric, one for each set of attributes."""
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@contextmanager
def recording(provider: TracerProvider | None = None) -> Iterator[Recorded]:
    """Has the whole process record spans and metrics for a block, in memory."""
    tracing = provider or TracerProvider(shutdown_on_exit=False)
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    metering = MeterProvider([reader], shutdown_on_exit=False)
    # The API lets a process set each once; in tests, each has its own.
    with (
        patch.object(opentelemetry.trace, "_TRACER_PROVIDER", tracing),
        patch.object(opentelemetry.metrics._internal, "_METER_PROVIDER", metering),
    ):
        yield Recorded(exporter, reader)
    metering.shutdown()
