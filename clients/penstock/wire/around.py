"""`Around` and `around_client`: put a concern, written once, around rpcs of all four kinds, on either side.

@asynccontextmanager
async def errors(call: Call) -> AsyncGenerator[None]:
    try:
        yield
    except PenstockError as error:
        await call.context.abort_with_status(to_status(error))

server = grpc.aio.server(interceptors=[Around(observe, errors), GuardedDecode()])
channel = grpc.aio.insecure_channel(target, interceptors=around_client(deadline, observe))
"""

from contextvars import ContextVar
from typing import Any

from penstock.wire.around_client import around_client
from penstock.wire.call import Call, Kind, Side
from penstock.wire.concern import Concern, as_async, as_plain
from penstock.wire.handlers import Behaviour, Context, Handler, HandlerWrapper, as_coroutine, kind_of, with_behaviour

__all__ = ["Around", "Concern", "around_client"]

# Reading the metadata of a grpc call copies it, so all concerns around one rpc share one Call.
_arrived: ContextVar[Call | None] = ContextVar("_arrived", default=None)


class Around(HandlerWrapper):
    """Runs every rpc of a server inside the given concerns, outermost first, at no cost per message."""

    def __init__(self, *concerns: Concern) -> None:
        super().__init__()
        self._concerns = concerns

    def wrap(self, method: str, handler: Handler) -> Handler:
        kind = kind_of(handler)
        behaviour = _contained(as_coroutine(handler))
        for concern in reversed(self._concerns):
            behaviour = _inside(concern, method, kind, behaviour)
        return with_behaviour(handler, behaviour)


def _inside(concern: Concern, method: str, kind: Kind, behaviour: Behaviour) -> Behaviour:
    if (plain := as_plain(concern)) is not None:

        async def guarded(request: Any, context: Context) -> Any:
            with plain(_call(method, kind, context)):
                return await behaviour(request, context)

    else:
        asynchronous = as_async(concern)

        async def guarded(request: Any, context: Context) -> Any:
            async with asynchronous(_call(method, kind, context)):
                return await behaviour(request, context)

    return guarded


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
