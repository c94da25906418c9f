"""Sets up OpenTelemetry before anything else of a process runs, as `opentelemetry-instrument` does."""

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

_exporter = ConsoleSpanExporter(formatter=lambda span: f"to its own provider: {span.name}\n")
_provider = TracerProvider()
_provider.add_span_processor(SimpleSpanProcessor(_exporter))
trace.set_tracer_provider(_provider)
metrics.set_meter_provider(MeterProvider())
