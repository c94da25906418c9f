"""The load generator as its starter sees it: a process that is given workloads and says what it saw."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.held import Hold
from benchmarks.load.workloads import KINDS, Loaded, Workload
from benchmarks.process import ProcessFailed, spawn, stop


@dataclass(frozen=True, slots=True)
class LoadGenerator:
    """Represents a load generator, connected to one system."""

    process: Process
    log: Path

    @classmethod
    async def start(cls, caller: str, address: str, log: Path) -> LoadGenerator:
        """Starts one that calls the system at an address in a certain way."""
        return cls(await spawn([sys.executable, "-m", "benchmarks.load", caller, address], log, piped=True), log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    async def put(self, workload: Workload | Hold) -> Loaded:
        """Has a workload put on the system; raises ProcessFailed when anything in it failed."""
        kind = "hold"
        if not isinstance(workload, Hold):
            kind = next(name for name, known in KINDS.items() if isinstance(workload, known))
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        fields = {field.name: getattr(workload, field.name) for field in dataclasses.fields(workload)}
        self.process.stdin.write(json.dumps({"kind": kind, **fields}).encode() + b"\n")
        await self.process.stdin.drain()
        line = await self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"the load generator ended:\n{self.log.read_text()}"}
        if error := answer.get("error"):
            raise ProcessFailed(error)
        return Loaded(**answer)

    async def stop(self) -> None:
        """Stops it."""
        await asyncio.shield(stop(self.process))
