"""A disk of a few megabytes, where the machine allows one."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEBIBYTE = 1024 * 1024


def room(directory: Path) -> int:
    """Returns the bytes that are free on the disk of a directory."""
    return shutil.disk_usage(directory).free


@contextmanager
def small_disk(directory: Path, mebibytes: int) -> Iterator[Path]:
    """Mounts a tmpfs of this size for a block; skips the test where that is not allowed."""
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "penstock-test", directory], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be made here: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)
