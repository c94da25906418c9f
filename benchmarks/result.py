"""A result, as it is kept in a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.load.workloads import Workload
from benchmarks.rounds import Measurement
from benchmarks.summary import Spread, Summary, summarise
from benchmarks.systems import SYSTEMS, System


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
        workloads: Mapping[str, Workload],
        rounds: int,
        facts: Mapping[str, Any],
        measurements: Sequence[Measurement],
    ) -> Result:
        """Puts together what was measured."""
        return cls(
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            rounds=rounds,
            machine=facts,
            titles={system.name: SYSTEMS[system.name].title for system in systems},
            processes={system.name: {served.name: served.pid for served in system.processes} for system in systems},
            workloads={name: _described(workload) for name, workload in workloads.items()},
            summary=summarise(measurements),
            measurements=[dataclasses.asdict(measurement) for measurement in measurements],
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


def _described(workload: Workload) -> dict[str, Any]:
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
