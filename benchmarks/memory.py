"""Memory as the kernel counts it (Linux): what a process alone keeps, without the pages that it shares with others."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.process import ProcessFailed

_PRIVATE: Final = ("Private_Clean:", "Private_Dirty:")  # lines of /proc/PID/smaps_rollup; see proc(5)


def of_process(pid: int) -> int:
    """Returns how many KiB a process keeps for itself; raises ProcessFailed if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessFailed(f"process {pid} has ended while it was measured") from None
    return sum(int(line.split()[1]) for line in lines if line.startswith(_PRIVATE))


def of_processes(pids: Iterable[int]) -> int:
    """Returns how many KiB several processes keep, summed."""
    return sum(of_process(pid) for pid in pids)
