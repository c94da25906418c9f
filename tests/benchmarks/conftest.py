"""A result of made-up figures, of which everything is known."""

import dataclasses

import pytest

from benchmarks.result import Result
from benchmarks.rounds import Measurement
from benchmarks.summary import summarise

TITLES = {
    "one": "Penstock, one process",
    "split": "Penstock, a process per layer",
    "chain": "bare grpc.aio, three processes",
    "fastapi": "FastAPI + httpx, three processes",
}
# CPU microseconds of a run and of a token, one for each round.
RUN = {
    "one": (1_000, 1_200, 1_400),
    "split": (4_000, 4_100, 4_200),
    "chain": (2_000, 2_000, 2_000),
    "fastapi": (9_000, 9_000, 9_000),
}
TOKEN = {"one": (210, 200, 190), "split": (410, 400, 390), "chain": (300, 300, 300), "fastapi": (500, 500, 500)}


def figures(system: str, number: int) -> dict[str, dict[str, float]]:
    """Returns what a round found on a system, for each workload."""
    run, token = float(RUN[system][number]), float(TOKEN[system][number])
    calls = {"cpu_us": run, "call_p50_ms": 103.74, "call_p99_ms": 132.15, "per_second": 1_301.0, "other_cores": 0.25}
    late = {"token_p50_ms": 2.25, "token_p99_ms": 16.43, "first_token_p50_ms": 6.01, "reached_per_second": 2_996.0}
    return {
        "unary": calls,
        "alone": calls,
        "first": {"first_token_p50_ms": 4.5 + number, "first_token_p99_ms": 12.0, "cpu_us": 4_000.0},
        "paced": {"cpu_us": token, **late},
        "flood": {"cpu_us": 22.5, "per_cpu_second": 44_444.0, "per_second": 31_000.0},
    }


@pytest.fixture
def result() -> Result:
    """Returns three rounds of all systems, and four waves of idle streams."""
    found = [
        Measurement(system, workload, number, metrics)
        for number in range(3)
        for system in TITLES
        for workload, metrics in figures(system, number).items()
    ]
    found += [
        Measurement(system, "held", wave, {"stream_kb": 90.0 + wave, "before_mb": 60.0, "open_mb": 105.0})
        for system in TITLES
        for wave in range(1, 5)
    ]
    return Result(
        time="2026-11-23T06:00:00+00:00",
        rounds=3,
        machine={
            "cores": 2,
            "processor": "A processor of a well-known make",
            "system": "Linux 6.1",
            "python": "3.11.7",
            "sqlite": "3.40.1",
            "packages": {"grpcio": "1.85.1", "protobuf": "7.36.2", "fastapi": "0.165.0", "httpx": "0.28.1"},
            "commit": "abcdef0",
        },
        titles=TITLES,
        processes={system: {f"{system}-gateway": 4_711, f"{system}-executor": 4_712} for system in TITLES},
        workloads={
            "unary": {"kind": "unary", "at_once": 32, "seconds": 1.0},
            "alone": {"kind": "unary", "at_once": 1, "seconds": 0.5},
            "first": {"kind": "first", "seconds": 0.5},
            "paced": {"kind": "paced", "streams": 60, "per_second": 50.0, "seconds": 2.0, "begin_within": 0.5},
            "flood": {"kind": "flood", "tokens": 5_000, "seconds": 0.5},
            "held": {"kind": "waves", "streams": 500, "waves": 5},
        },
        summary=summarise(found),
        measurements=[dataclasses.asdict(measurement) for measurement in found],
    )
