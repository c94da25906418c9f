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
    """The attempt failed, and its failure is recorded."""

    error: Status


class TakenOver(Exception):
    """The log says that another drives the run now, or that it is over. Its driver stops without a word."""

    def __init__(self) -> None:
        super().__init__("another drives it, or it is over")


class NotEnded(Exception):
    """The log refused the end that a driver wrote, because a step had ended or begun meanwhile.

    `status` is the error with which the run is to end all the same.
    """

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status
