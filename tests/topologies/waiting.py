"""Waiting for a run for less long than it takes."""

from typing import Any, Final

import pytest

from penstock.client import Client, errors

_TRIES: Final = 10


async def too_late(client: Client, task: str, **options: Any) -> str:
    """Waits for a run in vain, and returns the id that the gateway's answer names.

    Of the time that the caller gives, the gateway keeps a tenth of a second to answer in. Where a busy machine needs
    more than that, the call ends without its answer: then another is made.
    """
    for _ in range(_TRIES):
        with pytest.raises(errors.DeadlineExceeded) as late:
            await client.execute_run(task, **options)
        if "run_id" in late.value.metadata:
            return late.value.metadata["run_id"]
    raise AssertionError(f"of {_TRIES} calls that ran out of time none was told which run it had waited for")
