"""A result, as it is kept in a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.idle_streams import Waves
from benchmarks.load.workloads import Workload
from benchmarks.rounds import Measurement
from benchmarks.summary import Spread, Summary, summarise
from benchmarks.systems import System

Load = Workload | Waves
"""What can be put on a system."""


@dataclass(frozen=True, slots=True)
class Result:
    """Represents a finished measurement; `processes` names, for each system, whose CPU was summed."""

    time: str
    rounds: int
    machine: Mapping[str, Any]
    titles: Mapping[str, str]
    processes: Mapping[str, Mapping[str, int]]
    workloads: Mapping[str, Mapping[str, Any]]
    summary: Summary
    measurements: Sequence[Mapping[str, Any]]

    @classmethod
    def of(
        cls,
        systems: Sequence[System],
        workloads: Mapping[str, Load],
        facts: Mapping[str, Any],
        measurements: Sequence[Measurement],
    ) -> Result:
        """Puts together what was measured."""
        return cls(
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            rounds=len({measurement.round for measurement in measurements if "cpu_us" in measurement.metrics}),
            machine=facts,
            titles={system.name: system.title for system in systems},
            processes={system.name: {served.name: served.pid for served in system.processes} for system in systems},
            workloads={name: _described(workload) for name, workload in workloads.items()},
            summary=summarise(measurements),
            measurements=[dataclasses.asdict(measurement) for measurement in measurements],
        )

    def circumstances(self) -> str:
        """Tells what the figures depend on, in a sentence."""
        facts, packages = self.machine, self.machine["packages"]
        busy = [m["metrics"]["other_cores"] for m in self.measurements if "other_cores" in m["metrics"]]
        others = f"; other programs kept {sum(busy) / len(busy):.2f} cores busy meanwhile" if busy else ""
        return (
            f"{self.time[:10]}, {facts['cores']} cores ({facts['processor']}), {facts['system']}, "
            f"Python {facts['python']}, grpcio {packages['grpcio']}, protobuf {packages['protobuf']}, "
            f"SQLite {facts['sqlite']}, FastAPI {packages['fastapi']}, httpx {packages['httpx']}, "
            f"commit {facts['commit']}{others}."
        )

    def write(self, file: Path) -> None:
        """Writes it as JSON, numbers to six digits."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(_rounded(dataclasses.asdict(self)), indent=1) + "\n")

    @classmethod
    def read(cls, file: Path) -> Result:
        """Reads what `write` wrote."""
        fields = json.loads(file.read_text())
        summary: Summary = {
            workload: {
                system: {metric: Spread(**spread) for metric, spread in metrics.items()}
                for system, metrics in systems.items()
            }
            for workload, systems in fields.pop("summary").items()
        }
        return cls(**fields, summary=summary)


def _described(workload: Load) -> dict[str, Any]:
    return {"kind": type(workload).__name__.lower(), **dataclasses.asdict(workload)}


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.6g}")
        case dict():
            return {key: _rounded(inner) for key, inner in value.items()}
        case list():
            return [_rounded(inner) for inner in value]
        case _:
            return value
