"""Deadline: how long a call may take here, and what is left of it for the calls it makes in turn."""

import asyncio
from collections.abc import Mapping
from typing import Any

from penstock.interceptors.rules import LayerRules
from penstock.wire.call import Call
from penstock.wire.concern import Concern, Proceed
from penstock.wire.deadline import Deadline, use_deadline
from penstock.wire.errors import DeadlineExceeded
from penstock.wire.long_calls import is_long


def deadline(rules: Mapping[str, LayerRules]) -> Concern:
    """Makes the concern that gives each call the time its caller has left, and short calls at most their layer's.

    Long calls (streams, and those that wait for work) get what the caller gives them, be it without end.
    """

    async def bounded(call: Call, proceed: Proceed) -> Any:
        rule = rules.get(call.service)
        if rule is None or is_long(call) or (call.timeout is not None and call.timeout <= rule.timeout):
            # The transport itself cancels the handler at the caller's deadline; a second clock would only cost time.
            with use_deadline(None if call.timeout is None else Deadline.after(call.timeout)):
                return await proceed()
        seconds = rule.timeout
        try:
            async with asyncio.timeout(seconds) as limit:
                with use_deadline(Deadline.after(seconds)):
                    return await proceed()
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineExceeded(f"{call.name} was given up after {seconds:.3g} s") from error

    return bounded
