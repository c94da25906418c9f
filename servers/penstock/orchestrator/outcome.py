"""What comes of steps and runs, as their driver sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

from google.rpc.status_pb2 import Status

from penstock.v1.run_pb2 import Content


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The step has an output; `run_finished` when the run was ended in the same append."""

    output: Sequence[Content]
    run_finished: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed, and its failure is recorded; `lost` when no further attempt may follow."""

    error: Status
    final: bool = False


class TakenOver(Exception):
    """The log refused this owner: another drives the run now, or the run is over. Its driver stops without a word."""
