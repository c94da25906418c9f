"""How penstockd comes to export, what it says when it can't, and what a collector that is away may do to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from penstock.client import Client
from penstock.server.telemetry import read_telemetry
from tests.telemetry.fetch import fetched
from tests.telemetry.http_collector import collecting_over_http
from tests.topologies.mesh import ROOT, Daemon, Mesh

SAMPLES = Path(__file__).parent / "samples"


async def said_by(*arguments: str, **environment: str) -> tuple[int | None, str]:
    """Runs a penstockd that ends by itself; returns its exit code and all that it said."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("penstockd")),
        *("--listen", "127.0.0.1:0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean(**environment),
        cwd="/",
    )
    try:
        async with asyncio.timeout(30):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError("penstockd did not refuse") from None
    return process.returncode, output.decode()


# Also where the package itself is found through the variable.
WITHOUT_OTEL = os.pathsep.join(filter(None, (str(SAMPLES / "without_otel"), os.environ.get("PYTHONPATH"))))


def clean(**environment: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PENSTOCK_", "OTEL_"))}
    return {**kept, **environment}


@pytest.mark.parametrize(
    ("variable", "value", "mend"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "'zipkin' is not known; choose otlp, console or none"),
        ("OTEL_METRICS_EXPORTER", "statsd", "'statsd' is not known; choose otlp, prometheus, console or none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "'http/json' is not known; choose grpc or http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "thrift", "'thrift' is not known; choose grpc or http/protobuf"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317", "write it with http:// (no TLS) or https:// before it"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://", "is no URL; write it with http://"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "'sometimes' is not known; choose always_on, always_off,"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "nine", "'nine' is no port"),
        ("OTEL_TRACES_SAMPLER_ARG", "110 %", "write the part of traces to keep, between 0 and 1, as in 0.1"),
    ],
)
async def test_a_wrong_variable_is_refused_by_name_with_what_to_write(variable: str, value: str, mend: str) -> None:
    """Before anything is started: exporting that silently doesn't happen is noticed when it is needed."""
    more = {"OTEL_EXPORTER_PROMETHEUS_PORT": ("OTEL_METRICS_EXPORTER", "prometheus")}
    more["OTEL_TRACES_SAMPLER_ARG"] = ("OTEL_TRACES_SAMPLER", "traceidratio")
    code, said = await said_by(**{variable: value}, **dict([more[variable]] if variable in more else []))
    assert (code, said.count("\n")) == (2, 2), said
    assert variable in said
    assert mend in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:secret-4711@collector:4317"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization: Bearer secret-4711"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "tenant=a,=secret-4711"),
    ],
)
async def test_credentials_in_a_wrong_place_are_refused_and_not_shown(variable: str, value: str) -> None:
    """OpenTelemetry would log them, and export without them."""
    code, said = await said_by(**{variable: value})
    assert (code, said.count("\n")) == (2, 2), said
    assert variable in said
    assert "4711" not in said


async def test_what_only_opentelemetry_finds_wrong_is_told_in_one_line() -> None:
    """Its own kinds of errors are many."""
    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_COMPRESSION": "brotli"}
    code, said = await said_by(**where)
    assert (code, said.count("\n")) == (2, 1), said
    assert "brotli" in said


def test_what_the_specification_lets_one_write_is_understood() -> None:
    """Samplers in any case, IPv6 without brackets, and the same exporter twice is one."""
    telemetry, mistakes = read_telemetry(
        {
            "OTEL_TRACES_EXPORTER": "otlp, otlp",
            "OTEL_TRACES_SAMPLER": "Always_On",
            "OTEL_METRICS_EXPORTER": "prometheus",
            "OTEL_EXPORTER_PROMETHEUS_HOST": "::1",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20a=b,tenant=t,",
        }
    )
    assert mistakes == []
    assert (telemetry.traces, str(telemetry.prometheus)) == (("otlp",), "[::1]:9464")


async def test_what_set_up_opentelemetry_before_keeps_it(tmp_path: Path) -> None:
    """As `opentelemetry-instrument` does; nothing is said to be exported, or served, that is not."""
    python_path = os.pathsep.join(filter(None, (str(SAMPLES / "set_up_before"), os.environ.get("PYTHONPATH"))))
    where = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console", "PYTHONPATH": python_path}
    serving = daemon(tmp_path, "--metrics-listen", "127.0.0.1:0", **where)
    async with serving as running, Client(running.listen) as client:
        await client.list_agents()
    said = running.log.read_text()
    assert "to its own provider: penstock.v1.GatewayService/ListAgents" in said
    assert "spans go to the tracer provider that was there before" in said
    assert "penstockd itself serves no metrics at 127.0.0.1:0" in said
    assert "\n  exporting" not in said
    assert "\n  metrics" not in said
    assert "Overriding" not in said


async def test_all_wrong_variables_are_told_at_once_with_the_rest_of_the_configuration() -> None:
    """One start tells everything that is to be mended."""
    code, said = await said_by("--listen", "nowhere", OTEL_TRACES_EXPORTER="a,otlp,b", OTEL_EXPORTER_OTLP_PROTOCOL="c")
    assert code == 2
    assert "4 mistakes" in said
    assert all(f"{name!r} is not known" in said for name in "abc")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ((), {"OTEL_TRACES_EXPORTER": "otlp"}),
        ((), {"OTEL_METRICS_EXPORTER": "prometheus"}),
        (("--metrics-listen", "127.0.0.1:0"), {}),
    ],
)
async def test_without_the_extra_it_says_what_to_install(
    arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    """And who asked for it."""
    code, said = await said_by(*arguments, PYTHONPATH=WITHOUT_OTEL, **environment)
    assert (code, said.count("\n")) == (2, 1), said
    assert "pip install opentelemetry-sdk opentelemetry-exporter-otlp opentelemetry-exporter-prometheus" in said
    assert ("metrics_listen" if arguments else next(iter(environment))) in said


async def test_a_metrics_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """And the flag that chooses another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = await said_by("--metrics-listen", where, "--state", f"sqlite:///{tmp_path}/p.db")
    assert (code, said.count("\n")) == (1, 1), said
    assert f"can't serve metrics on {where}" in said
    assert "--metrics-listen" in said


async def test_off_nothing_of_opentelemetry_is_imported(tmp_path: Path) -> None:
    """So that there can be no spans, and nothing to pay for; the extra need not be installed."""
    async with daemon(tmp_path, PYTHONPATH=WITHOUT_OTEL) as running, Client(running.listen) as client:
        run = await client.execute_run("opentelemetry", agent="imported")
        assert json.loads(run.output[0].json) == []
        assert run.trace_id


async def test_disabled_means_off_whatever_else_is_said(tmp_path: Path) -> None:
    """As the specification has it; the log tells that metrics are not served."""
    where = {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "nonsense"}
    async with daemon(tmp_path, "--metrics-listen", "127.0.0.1:0", **where) as running:
        async with Client(running.listen) as client:
            run = await client.execute_run("opentelemetry", agent="imported")
        assert json.loads(run.output[0].json) == []
        assert "OTEL_SDK_DISABLED is true, so that metrics are not served" in running.log.read_text()


async def test_the_banner_says_what_is_exported_and_where_metrics_are(tmp_path: Path) -> None:
    """With port 0, the real one."""
    where = {"OTEL_TRACES_EXPORTER": "console", "OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "team=a"}
    async with daemon(tmp_path, "--metrics-listen", "127.0.0.1:0", **where) as running:
        banner = running.log.read_text()
        (line,) = (line for line in banner.splitlines() if line.startswith("  metrics"))
        assert "  exporting  traces by console" in banner
        families = text_string_to_metric_families(await fetched(line.split()[1]))
        async with Client(running.listen) as client:
            await client.list_agents()
    assert "target" in {family.name.removesuffix("_info") for family in families}
    printed = running.log.read_text()
    assert '"service.name": "mine"' in printed
    assert '"team": "a"' in printed


async def test_traces_and_metrics_go_over_http_where_that_is_asked_for(tmp_path: Path) -> None:
    """To the paths that the specification appends; metrics too, at the latest when the process stops."""
    with collecting_over_http() as received:
        where = {"OTEL_EXPORTER_OTLP_ENDPOINT": received.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        async with daemon(tmp_path, **where) as running, Client(running.listen) as client:
            await client.list_agents()
    spans = ExportTraceServiceRequest.FromString(b"".join(received.bodies["/v1/traces"]))
    metrics = ExportMetricsServiceRequest.FromString(b"".join(received.bodies["/v1/metrics"]))
    names = {span.name for group in spans.resource_spans for scope in group.scope_spans for span in scope.spans}
    assert "penstock.v1.GatewayService/ListAgents" in names
    measured = {m.name for group in metrics.resource_metrics for scope in group.scope_metrics for m in scope.metrics}
    assert {"rpc.server.call.duration", "penstock.server.calls"} <= measured


@contextmanager
def nobody_listening() -> Iterator[str]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def never_answering() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("collector", [nobody_listening, never_answering])
async def test_a_collector_that_is_away_costs_neither_runs_nor_the_log_nor_the_stop(
    tmp_path: Path, collector: Any, protocol: str
) -> None:
    """Runs go on; the log has a line now and then, and no traceback; stopping takes a few seconds at most."""
    with collector() as endpoint:
        where = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_BSP_SCHEDULE_DELAY": "20",
        }
        async with daemon(tmp_path, **where) as running:
            async with Client(running.listen) as client:
                for _ in range(20):
                    await client.execute_run("opentelemetry.trace", agent="imported")
            assert running.process is not None
            asked = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await running.process.wait() == 0
            took = time.monotonic() - asked
    log = running.log.read_text()
    assert took < 10, took
    assert "Traceback" not in log
    assert sum("export" in line for line in log.splitlines()) < 8
    assert "\nstopped\n" in log


@asynccontextmanager
async def daemon(directory: Path, *arguments: str, **environment: str) -> AsyncIterator[Daemon]:
    """Runs all layers in one process for a block."""
    mesh = Mesh("one process", directory)
    state = ("--state", f"sqlite:///{directory / 'penstock.db'}")
    agent = ("--agent", "imported=tests.telemetry.samples.telling:imported")
    running = Daemon("all", [*state, *agent, *arguments], directory, environment=environment)
    mesh.daemons["all"] = running
    try:
        await running.start()
        yield running
    finally:
        await mesh.stop()


def test_the_samples_are_where_processes_look_for_them() -> None:
    """A path that is wrong would make a process find the extra, and the tests above test nothing."""
    assert (SAMPLES / "without_otel" / "sitecustomize.py").exists()
    assert (SAMPLES / "set_up_before" / "sitecustomize.py").exists()
    assert (ROOT / "tests" / "telemetry" / "samples" / "telling.py").exists()
