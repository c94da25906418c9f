"""How writing to a run's log fails."""

from __future__ import annotations

from penstock.v1.run_log_pb2 import AppendOutcome


class AppendRefused(Exception):
    """The log refused an entry, so its writer must stop: another has taken over, or the run is over.

    `outcome` is the AppendOutcome, `detail` the store's words.
    """

    def __init__(self, outcome: AppendOutcome, detail: str) -> None:
        super().__init__(f"{AppendOutcome.Name(outcome)}: {detail}" if detail else AppendOutcome.Name(outcome))
        self.outcome = outcome
        self.detail = detail


class LogStalled(Exception):
    """Nothing was acknowledged for too long; what became of the entries on their way is not known."""
