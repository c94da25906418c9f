"""Exporting traces and metrics with OpenTelemetry's SDK, which only this file imports, and only when asked to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from penstock.server.address import Address
from penstock.server.config import Config
from penstock.server.host import NotListening
from penstock.server.identity import ProcessIdentity
from penstock.server.options import LAYER_NAMES
from penstock.server.telemetry import Exports, Telemetry
from penstock.server.telemetry_log import quiet_exporters
from penstock.wire.metering import meter

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import SpanExporter

_LOGGER: Final = logging.getLogger("penstock.telemetry")

# Seconds that what was not exported yet may hold up the end of the process.
FLUSH_SECONDS: Final = 3.0

# By its packages: the name penstock belongs to another project on PyPI.
_EXTRA: Final = "opentelemetry-sdk opentelemetry-exporter-otlp opentelemetry-exporter-prometheus"


class NotExporting(Exception):
    """Traces or metrics can't be exported; the text says why and how to mend it."""


@contextmanager
def exporting(telemetry: Telemetry, metrics_listen: Address | None, facts: Mapping[str, Any]) -> Iterator[Exports]:
    """Exports for the length of a block.

    `facts` are attributes of the resource; the standard variables go before them. Raises NotExporting, and
    NotListening when `metrics_listen` can't be listened on.
    """
    if telemetry.disabled and metrics_listen is not None:
        _LOGGER.warning("OTEL_SDK_DISABLED is true, so that metrics are not served at %s", metrics_listen)
    if telemetry.disabled or not (telemetry.asked_by or metrics_listen):
        yield Exports()
        return
    listen = metrics_listen or telemetry.prometheus
    with quiet_exporters(), ExitStack() as stack:
        try:
            resource = _resource(facts)
            traces = _export_traces(telemetry, resource, stack) if telemetry.traces else ()
            metrics = Exports()
            if telemetry.metrics or listen is not None:
                metrics = _export_metrics(telemetry, listen, resource, stack)
        except ImportError as error:
            asked_by = telemetry.asked_by or "metrics_listen"
            raise NotExporting(
                f"{asked_by} asks for telemetry, and packages of the extra `otel` are missing ({error.name}): "
                f"pip install {_EXTRA}"
            ) from error
        except NotListening:
            raise
        except Exception as error:  # a variable that is wrong is an error of whatever kind OpenTelemetry has for it
            raise NotExporting(f"telemetry can't be exported: {error}; see the OTEL_… variables") from error
        yield replace(metrics, traces=traces)


def resource_facts(config: Config, identity: ProcessIdentity) -> dict[str, Any]:
    """Returns the attributes that tell this process's telemetry from that of others."""
    whole = len(config.hosted) == len(LAYER_NAMES)
    return {
        "service.name": config.service_name if whole else f"{config.service_name}-{'-'.join(config.hosted)}",
        "service.version": identity.version,
        "service.instance.id": identity.instance_id,
        "deployment.environment.name": config.environment,
        "penstock.layers": config.hosted,
    }


def _resource(facts: Mapping[str, Any]) -> Resource:
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    # The SDK's own `create` would let our attributes go before the variables'.
    return Resource.create(facts).merge(OTELResourceDetector().detect())


def _export_traces(telemetry: Telemetry, resource: Resource, stack: ExitStack) -> tuple[str, ...]:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        _LOGGER.info("spans go to the tracer provider that was there before penstockd")
        return ()
    # Its own hook at exit would wait for a collector without end.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for name in telemetry.traces:
        provider.add_span_processor(BatchSpanProcessor(_span_exporter(name, telemetry.traces_protocol)))
    trace.set_tracer_provider(provider)
    stack.callback(_shut_down, "traces", provider)
    return telemetry.traces


def _export_metrics(telemetry: Telemetry, listen: Address | None, resource: Resource, stack: ExitStack) -> Exports:
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider

    if meter() is not None:
        _LOGGER.info("metrics go to the meter provider that was there before penstockd")
        if listen is not None:
            _LOGGER.warning("penstockd itself serves no metrics at %s: another meter provider has them", listen)
        return Exports()
    served = None
    readers = [_periodic(name, telemetry.metrics_protocol) for name in telemetry.metrics]
    if listen is not None:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader

        served = _serve_metrics(listen, stack)
        readers.append(PrometheusMetricReader())
    provider = MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    stack.callback(_shut_down, "metrics", provider)
    return Exports(served, metrics=telemetry.metrics)


def _serve_metrics(listen: Address, stack: ExitStack) -> Address:
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(listen.port, listen.host)
    except OSError as error:
        raise NotListening(
            f"can't serve metrics on {listen}: {error.strerror}; stop what listens there, or choose another address "
            "with --metrics-listen (port 0 takes any free one)"
        ) from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(1.0)

    stack.callback(stop)
    return listen.with_port(server.server_port)


def _span_exporter(name: str, protocol: str) -> SpanExporter:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

    return HttpExporter()


def _periodic(name: str, protocol: str) -> MetricReader:
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

    if name == "console":
        return PeriodicExportingMetricReader(ConsoleMetricExporter())
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter

        return PeriodicExportingMetricReader(GrpcExporter())
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter

    return PeriodicExportingMetricReader(HttpExporter())


def _shut_down(what: str, provider: Any) -> None:
    """Exports what is left, as long as that takes a few seconds at most."""
    # A daemon, so that an exporter which waits for its collector can't keep the process alive.
    flushing = threading.Thread(target=provider.shutdown, name=f"penstock-flush-{what}", daemon=True)
    flushing.start()
    flushing.join(FLUSH_SECONDS / 2)
    if flushing.is_alive():
        _LOGGER.warning("the last %s were not exported: the collector did not answer in time", what)
