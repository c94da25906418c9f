"""CPU seconds as the kernel counts them (Linux); its step is 10 ms, so measurements last for many of them."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.process import ProcessFailed

TICK: Final = 1.0 / os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # places in /proc/PID/stat after the command's name; see proc(5)
_IDLE, _IOWAIT = 3, 4  # places in the first line of /proc/stat


def of_process(pid: int) -> float:
    """Returns what a process has used so far, all threads, user and system; raises ProcessFailed if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        raise ProcessFailed(f"process {pid} has ended while it was measured") from None
    return (int(fields[_UTIME]) + int(fields[_STIME])) * TICK


def of_processes(pids: Iterable[int]) -> float:
    """Returns what several processes have used so far, summed."""
    return sum(of_process(pid) for pid in pids)


def of_machine() -> float:
    """Returns how long the machine's processors have been busy so far, with whatever."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[_IDLE] - fields[_IOWAIT]) * TICK
