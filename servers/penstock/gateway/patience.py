"""How long a call may wait, so that its answer still reaches the caller."""

import asyncio
from typing import Any

import grpc.aio

from penstock.wire.deadline import LONGEST


def give_up_at(context: "grpc.aio.ServicerContext[Any, Any]", margin: float) -> float | None:
    """Returns the loop time at which to stop waiting; None: the caller set no deadline.

    That is `margin` seconds before the deadline, but never more than a quarter of the time that is left.
    """
    remaining = context.time_remaining()
    # Clients without a deadline may show as one in the far future.
    if remaining is None or remaining > LONGEST:
        return None
    return asyncio.get_running_loop().time() + remaining - min(margin, remaining / 4)


def time_until(moment: float | None, most: float) -> float:
    """Returns the seconds until a loop time, at most so many; a thousandth when it is past, so that a call still fails
    with its own error."""
    if moment is None:
        return most
    return max(0.001, min(most, moment - asyncio.get_running_loop().time()))
