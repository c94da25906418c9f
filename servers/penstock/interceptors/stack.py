"""The list of what every call passes, on its way in and on its way out."""

from collections.abc import Mapping, Sequence

import grpc

from penstock.interceptors.context import Door, context
from penstock.interceptors.deadline import deadline
from penstock.interceptors.draining import Gate
from penstock.interceptors.errors import errors
from penstock.interceptors.guard import Load, guard
from penstock.interceptors.observe import observe
from penstock.wire.around import Around
from penstock.wire.decode import GuardedDecode
from penstock.wire.observe_calls import observe_calls
from penstock.wire.outgoing import client_context, client_deadline
from penstock.wire.preparing import prepare_calls


def server_stack(
    loads: Mapping[str, Load], *, gate: Gate | None = None, door: Door | None = None
) -> Sequence[grpc.aio.ServerInterceptor]:
    """Returns a server's interceptors, outermost first.

    `loads` maps the full names of services to the load of their layer, which may be reached by several servers;
    `gate` is that of a listener, `door` that of the public one.
    """
    rules = {service: load.rules for service, load in loads.items()}
    return [
        Around(
            observe(rules, listening=gate is not None),  # outermost, so that it sees every call and how it really ended
            errors,  # around all that may fail, so that there is one mapping
            guard(loads),  # before anything that costs
            *([gate.concern] if gate is not None else []),  # needs nothing of the call but its name
            context(door),  # whose work it is, for everything further in
            deadline(rules),  # innermost of ours: its clock runs for the handler alone
        ),
        GuardedDecode(),  # innermost, so that a malformed request is an error like any other
    ]


def client_stack() -> Sequence[grpc.aio.ClientInterceptor]:
    """Returns the interceptors of a channel from one layer to another, outermost first."""
    return prepare_calls(
        client_context,  # whose work it is
        client_deadline,  # after it, so that it subtracts what that took
        observe_calls(root=False),  # innermost, so that it sees what really leaves
    )
