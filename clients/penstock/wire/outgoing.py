"""What every call from one layer to another takes along: who asks, and how much time is left."""

from typing import Final

from penstock.wire.call import Call
from penstock.wire.context import current_context
from penstock.wire.deadline import clamp_timeout
from penstock.wire.long_calls import is_long

# Seconds after which a short call without a deadline of its own is given up, so that nothing waits for ever.
DEFAULT_TIMEOUT: Final = 30.0


def client_context(call: Call) -> None:
    """Sends the current request's ids along, with a span of its own; keys that the caller set itself stay."""
    context = current_context()
    if context is not None:
        given = {key for key, _ in call.metadata} if call.metadata else ()
        call.metadata.extend([pair for pair in context.outgoing() if pair[0] not in given])


def client_deadline(call: Call) -> None:
    """Never lets a call outlast the one on whose behalf it is made."""
    if call.timeout is None and not is_long(call):
        call.timeout = DEFAULT_TIMEOUT
    call.timeout = clamp_timeout(call.timeout)
