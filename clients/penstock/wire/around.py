"""`Around` and `around_client`: put a concern, written once, around rpcs of all four kinds, on either side.

@contextmanager
def observe(call: Call) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(call.method, time.monotonic() - started)

async def errors(call: Call, proceed: Proceed) -> Any:  # awaits something of its own
    try:
        return await proceed()
    except PenstockError as error:
        await call.context.abort_with_status(to_status(error))

server = grpc.aio.server(interceptors=[Around(observe, errors), GuardedDecode()])
channel = grpc.aio.insecure_channel(target, interceptors=around_client(deadline, observe))
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from penstock.wire.around_client import around_client
from penstock.wire.call import Call, Kind, Side
from penstock.wire.concern import Concern, EnclosingConcern, as_enclosing
from penstock.wire.handlers import Behaviour, Context, Handler, HandlerWrapper, as_coroutine, kind_of, with_behaviour

__all__ = ["Around", "Concern", "around_client"]

Enter = Callable[[Call, Any, Context], Awaitable[Any]]

# Reading the metadata of a grpc call copies it, so all concerns around one rpc share one Call.
_arrived: ContextVar[Call | None] = ContextVar("_arrived", default=None)


class Around(HandlerWrapper):
    """Runs every rpc of a server inside the given concerns, outermost first, at no cost per message."""

    def __init__(self, *concerns: Concern) -> None:
        super().__init__()
        self._concerns = concerns

    def wrap(self, method: str, handler: Handler) -> Handler:
        kind = kind_of(handler)
        enter = _last(_contained(as_coroutine(handler)))
        for concern in reversed(self._concerns):
            enter = _inside(as_enclosing(concern), enter)

        async def around(request: Any, context: Context) -> Any:
            return await enter(_call(method, kind, context), request, context)

        return with_behaviour(handler, around)


def _last(behaviour: Behaviour) -> Enter:
    def last(call: Call, request: Any, context: Context) -> Awaitable[Any]:
        return behaviour(request, context)

    return last


def _inside(concern: EnclosingConcern, enter: Enter) -> Enter:
    def inside(call: Call, request: Any, context: Context) -> Awaitable[Any]:
        return concern(call, lambda: enter(call, request, context))

    return inside


def _contained(behaviour: Behaviour) -> Behaviour:
    async def contained(request: Any, context: Context) -> Any:
        try:
            return await behaviour(request, context)
        except SystemExit as request_to_exit:
            # grpc would let it end the process, and with it everybody else's calls.
            raise RuntimeError("the handler tried to end the process") from request_to_exit

    return contained


def _call(method: str, kind: Kind, context: Context) -> Call:
    call = _arrived.get()
    if call is None or call.servicer_context is not context:
        call = Call(
            method=method,
            kind=kind,
            side=Side.SERVER,
            metadata=[(key, value) for key, value in context.invocation_metadata() or ()],
            timeout=context.time_remaining(),
            servicer_context=context,
        )
        _arrived.set(call)
    return call
