"""`Attempt`: the name of one attempt of one step."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """Names an attempt; without a run (StreamExecute) `run_id` is empty."""

    tenant: str
    run_id: str
    step_id: str
    attempt: int
