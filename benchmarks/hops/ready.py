"""How a hop tells that it serves: as penstockd does, by a file of one JSON object."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HopArguments:
    """Represents what a hop is started with; `next_hop` is empty for the last one, which does the work."""

    ready_file: Path
    next_hop: str


def parse(arguments: Sequence[str] | None = None) -> HopArguments:
    """Reads a hop's command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--next", dest="next_hop", default="", metavar="HOST:PORT")
    given = parser.parse_args(arguments)
    return HopArguments(given.ready_file, given.next_hop)


def announce(file: Path, address: str) -> None:
    """Writes the file, aside first, so that nobody reads half of it."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(json.dumps({"listen": address}))
    draft.replace(file)
