"""`PreparedChannel`: another channel whose every call is prepared before it leaves, at the price of a function call."""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from penstock.wire.call import Call, Kind, Side
from penstock.wire.preparing import Prepare, prepare, tell, tell_when_done


class _Prepared:
    """Stands in a stub for one method."""

    def __init__(self, kind: Kind, method: str, prepares: Sequence[Prepare], inner: Any) -> None:
        self._kind = kind
        self._method = method
        self._prepares = prepares
        self._inner = inner

    def __call__(
        self,
        *request: Any,
        timeout: float | None = None,
        metadata: Iterable[tuple[str, str | bytes]] | None = None,
        wait_for_ready: bool | None = None,
        **rest: Any,
    ) -> Any:
        call = Call(self._method, self._kind, Side.CLIENT, list(metadata or ()), timeout, wait_for_ready)
        told = prepare(call, self._prepares)
        try:
            ongoing = self._inner(
                *request,
                timeout=call.timeout,
                metadata=tuple(call.metadata),
                wait_for_ready=call.wait_for_ready,
                **rest,
            )
        except BaseException:
            tell(told, grpc.StatusCode.UNKNOWN)
            raise
        if told:
            tell_when_done(ongoing, told)
        return ongoing


class PreparedChannel(grpc.aio.Channel):
    """Passes everything on to another channel, and prepares each call first.

    As an interceptor the same would cost a task for every call, in either transport.
    """

    def __init__(self, inner: grpc.aio.Channel, prepares: Sequence[Prepare]) -> None:
        self._inner = inner
        self._prepares = tuple(prepares)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._inner.channel_ready()

    def unary_unary(self, method: str, *rest: Any, **named: Any) -> Any:
        return self._prepared(Kind.UNARY_UNARY, method, self._inner.unary_unary(method, *rest, **named))

    def unary_stream(self, method: str, *rest: Any, **named: Any) -> Any:
        return self._prepared(Kind.UNARY_STREAM, method, self._inner.unary_stream(method, *rest, **named))

    def stream_unary(self, method: str, *rest: Any, **named: Any) -> Any:
        return self._prepared(Kind.STREAM_UNARY, method, self._inner.stream_unary(method, *rest, **named))

    def stream_stream(self, method: str, *rest: Any, **named: Any) -> Any:
        return self._prepared(Kind.STREAM_STREAM, method, self._inner.stream_stream(method, *rest, **named))

    def _prepared(self, kind: Kind, method: str, inner: Any) -> _Prepared:
        return _Prepared(kind, method, self._prepares, inner)
