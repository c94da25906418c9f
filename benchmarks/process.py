"""Processes that a measurement starts: each in a session of its own, so that Ctrl-C reaches only their starter."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

ROOT: Final = Path(__file__).parents[1]
TETHER: Final = str(Path(__file__).with_name("tether.py"))
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0
# What the starter's own environment must not change in a measurement.
OWN_VARIABLES: Final = ("PENSTOCK_", "OTEL_")
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
LARGEST_LINE: Final = 4 * 1024 * 1024


class ProcessFailed(Exception):
    """Raised when a process ended that should not have; says what it printed."""


async def spawn(
    program: list[str], log: Path, *, piped: bool = False, variables: Mapping[str, str] = NOTHING
) -> Process:
    """Starts a program whose output goes to a file; with `piped` its input and output come from and go to us."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OWN_VARIABLES)}
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            TETHER,
            str(os.getpid()),
            *program,
            stdin=PIPE if piped else asyncio.subprocess.DEVNULL,
            stdout=PIPE if piped else output,
            stderr=output,
            cwd=log.parent,
            env={**kept, "PYTHONPATH": str(ROOT), **variables},
            start_new_session=True,
            limit=LARGEST_LINE,
        )


async def stop(process: Process) -> None:
    """Asks a process to stop, and kills it if it doesn't."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
    await process.wait()


@dataclass(frozen=True, slots=True)
class Served:
    """Represents a process that serves at an address, of the form `host:port`."""

    name: str
    process: Process
    address: str

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid


async def serve(name: str, program: list[str], directory: Path, variables: Mapping[str, str] = NOTHING) -> Served:
    """Starts a program that takes `--ready-file`, and returns once it serves; raises ProcessFailed if it never does."""
    ready, log = directory / f"{name}.ready", directory / f"{name}.log"
    process = await spawn([*program, "--ready-file", str(ready)], log, variables=variables)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not ready.exists():
                if process.returncode is not None:
                    raise ProcessFailed(f"{name} ended at once:\n{log.read_text()}")
                await asyncio.sleep(0.02)  # another process's file sets no event of ours
        return Served(name, process, json.loads(ready.read_text())["listen"])
    except BaseException:
        await asyncio.shield(stop(process))
        raise
