"""What of a process's traces and metrics is exported, and how: read from the variables that OpenTelemetry fixes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from penstock.server.address import Address
from penstock.server.option import Mistake

_TRACES: Final = "OTEL_TRACES_EXPORTER"
_METRICS: Final = "OTEL_METRICS_EXPORTER"
_DISABLED: Final = "OTEL_SDK_DISABLED"
_HOST: Final = "OTEL_EXPORTER_PROMETHEUS_HOST"
_PORT: Final = "OTEL_EXPORTER_PROMETHEUS_PORT"
_SAMPLER: Final = "OTEL_TRACES_SAMPLER"
_SAMPLER_ARG: Final = "OTEL_TRACES_SAMPLER_ARG"

_EXPORTERS: Final[Mapping[str, Sequence[str]]] = {
    _TRACES: ("otlp", "console", "none"),
    _METRICS: ("otlp", "prometheus", "console", "none"),
}
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_OWN_ENDPOINTS: Final = {
    _TRACES: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    _METRICS: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
}
_OWN_PROTOCOLS: Final = {
    _TRACES: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    _METRICS: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
}
_HEADERS: Final = (
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
)
_PROTOCOLS: Final = ("grpc", "http/protobuf")
_RATIO_SAMPLERS: Final = ("traceidratio", "parentbased_traceidratio")
_SAMPLERS: Final = ("always_on", "always_off", "parentbased_always_on", "parentbased_always_off", *_RATIO_SAMPLERS)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Represents what is exported: by which exporters, and by which protocol where that is `otlp`.

    `asked_by` names the variable or flag that asked; empty: nothing is exported.
    """

    asked_by: str = ""
    traces: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    traces_protocol: str = "grpc"
    metrics_protocol: str = "grpc"
    prometheus: Address | None = None
    """Where metrics are served for Prometheus to fetch, if a variable asks for that."""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Exports:
    """Represents what a running process exports: where metrics are served, and by which exporters the rest goes."""

    metrics_address: Address | None = None
    traces: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()


def read_telemetry(environment: Mapping[str, str]) -> tuple[Telemetry, list[Mistake]]:
    """Reads the `OTEL_…` variables that say whether to export, and all that is wrong with them.

    Those that say how in detail (headers, certificates, intervals, limits) are read by OpenTelemetry's SDK itself.
    """
    # The specification has an empty variable mean the same as none.
    given = {name: value.strip() for name, value in environment.items() if name.startswith("OTEL_") and value.strip()}
    if given.get(_DISABLED, "").lower() == "true":
        return Telemetry(disabled=True), []
    mistakes = [*_wrong_choices(given), *_wrong_endpoints(given), *_wrong_headers(given), *_wrong_sampler(given)]
    traces, traces_by = _exporters(given, _TRACES)
    metrics, metrics_by = _exporters(given, _METRICS)
    prometheus = None
    if "prometheus" in metrics:
        try:
            host = given.get(_HOST, "localhost")
            # The variable has an IPv6 address as it is.
            bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
            prometheus = Address.parse(f"{bracketed}:{given.get(_PORT, '9464')}")
        except ValueError as error:
            mistakes.append(Mistake(f"{_HOST}, {_PORT}", "environment", str(error)))
    default = given.get(_PROTOCOL, "grpc")
    telemetry = Telemetry(
        asked_by=traces_by or metrics_by,
        traces=traces,
        metrics=tuple(name for name in metrics if name != "prometheus"),
        traces_protocol=given.get(_OWN_PROTOCOLS[_TRACES], default),
        metrics_protocol=given.get(_OWN_PROTOCOLS[_METRICS], default),
        prometheus=prometheus,
    )
    return telemetry, mistakes


def _exporters(given: Mapping[str, str], variable: str) -> tuple[tuple[str, ...], str]:
    """Returns a signal's exporters and who asked for them; an endpoint asks for `otlp` where nothing else is said."""
    if variable in given:
        names = tuple(name for name in _listed(given[variable]) if name != "none")
        return names, variable if names else ""
    asked_by = next((name for name in (_OWN_ENDPOINTS[variable], _ENDPOINT) if name in given), "")
    return ("otlp",) if asked_by else (), asked_by


def _listed(value: str) -> list[str]:
    # Each once: the same exporter twice would export all of it twice.
    return list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))


def _wrong_choices(given: Mapping[str, str]) -> Iterator[Mistake]:
    for variable, choices in _EXPORTERS.items():
        for name in _listed(given.get(variable, "")):
            if name not in choices:
                yield _unknown(variable, name, choices)
    for variable in (_PROTOCOL, *_OWN_PROTOCOLS.values()):
        if variable in given and given[variable] not in _PROTOCOLS:
            yield _unknown(variable, given[variable], _PROTOCOLS)


def _wrong_endpoints(given: Mapping[str, str]) -> Iterator[Mistake]:
    for variable in (_ENDPOINT, *_OWN_ENDPOINTS.values()):
        if variable in given and (wrong := _wrong_url(given[variable])):
            yield Mistake(variable, "environment", wrong)


def _wrong_url(text: str) -> str:
    try:
        url = urlsplit(text)
    except ValueError:
        url = urlsplit("")
    if url.scheme not in ("http", "https") or not url.hostname:
        return "is no URL; write it with http:// (no TLS) or https:// before it, as in http://localhost:4317"
    if "@" in url.netloc:
        return f"holds a user or a password, which exporters would log; send credentials by {_HEADERS[0]}"
    return ""


def _wrong_headers(given: Mapping[str, str]) -> Iterator[Mistake]:
    """Finds what OpenTelemetry would leave out, and log with the credentials that it holds."""
    for variable in _HEADERS:
        if any(not part.partition("=")[0].strip() or "=" not in part for part in _listed(given.get(variable, ""))):
            yield Mistake(variable, "environment", "is not written NAME=VALUE, with commas between")


def _wrong_sampler(given: Mapping[str, str]) -> Iterator[Mistake]:
    sampler = given.get(_SAMPLER, "").lower()
    if sampler and sampler not in _SAMPLERS:
        yield _unknown(_SAMPLER, sampler, _SAMPLERS)
    if sampler in _RATIO_SAMPLERS and _SAMPLER_ARG in given:
        try:
            ratio = float(given[_SAMPLER_ARG])
        except ValueError:
            ratio = -1.0
        if not 0 <= ratio <= 1:
            how = "write the part of traces to keep, between 0 and 1, as in 0.1"
            yield Mistake(_SAMPLER_ARG, "environment", f"{given[_SAMPLER_ARG]!r} is no such number; {how}")


def _unknown(variable: str, value: str, choices: Sequence[str]) -> Mistake:
    text = f"{value!r} is not known; choose {', '.join(choices[:-1])} or {choices[-1]}"
    return Mistake(variable, "environment", text)
