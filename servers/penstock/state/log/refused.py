"""How an entry is refused."""

from penstock.v1.run_log_pb2 import AppendOutcome


class Refused(Exception):
    """An entry can't go into the log; nothing of it was kept."""

    def __init__(self, outcome: AppendOutcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


def invalid(detail: str) -> Refused:
    """Makes the refusal of an entry that is malformed, or not its writer's to write."""
    return Refused(AppendOutcome.APPEND_OUTCOME_INVALID, detail)
