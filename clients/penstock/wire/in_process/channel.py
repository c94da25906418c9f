"""`InProcessChannel`: a grpc.aio channel to an `InProcessServer`, for the generated stubs."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from penstock.wire.call import Kind
from penstock.wire.in_process.calls import Deserialize, Serialize
from penstock.wire.in_process.invocation import Invocation
from penstock.wire.in_process.multi_callable import multi_callable
from penstock.wire.in_process.open_calls import OpenCalls
from penstock.wire.in_process.server import InProcessServer, State

_INTERCEPTOR_TYPES = {
    Kind.UNARY_UNARY: grpc.aio.UnaryUnaryClientInterceptor,
    Kind.UNARY_STREAM: grpc.aio.UnaryStreamClientInterceptor,
    Kind.STREAM_UNARY: grpc.aio.StreamUnaryClientInterceptor,
    Kind.STREAM_STREAM: grpc.aio.StreamStreamClientInterceptor,
}


class InProcessChannel(grpc.aio.Channel):
    """Carries calls to a server in the same process and event loop, through the same interceptors as over TCP."""

    def __init__(self, server: InProcessServer, interceptors: Sequence[grpc.aio.ClientInterceptor] = ()) -> None:
        self._server = server
        self._calls = OpenCalls(server)
        self._interceptors: dict[Kind, list[grpc.aio.ClientInterceptor]] = {kind: [] for kind in Kind}
        for interceptor in interceptors:
            # The first kind that fits, as grpc.aio sorts them.
            for kind, of_kind in _INTERCEPTOR_TYPES.items():
                if isinstance(interceptor, of_kind):
                    self._interceptors[kind].append(interceptor)
                    break
            else:
                raise ValueError(f"{interceptor!r} is no grpc.aio client interceptor")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        await self._calls.close(grace)
        self._server.announce()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        if self._calls.closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        match self._server.state:
            case State.SERVING:
                return grpc.ChannelConnectivity.READY
            case State.READY:
                return grpc.ChannelConnectivity.CONNECTING if try_to_connect else grpc.ChannelConnectivity.IDLE
            case _:
                return grpc.ChannelConnectivity.TRANSIENT_FAILURE

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        connecting = last_observed_state is grpc.ChannelConnectivity.CONNECTING
        while self.get_state(try_to_connect=connecting) is last_observed_state:
            await self._server.state_change()

    async def channel_ready(self) -> None:
        while (state := self.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
            if state is grpc.ChannelConnectivity.SHUTDOWN:
                raise grpc.aio.UsageError("Channel is closed.")
            await self.wait_for_state_change(state)

    # The generated stubs pass `_registered_method`, which only means something to the C core.
    def unary_unary(
        self,
        method: str,
        request_serializer: Serialize = None,
        response_deserializer: Deserialize = None,
        _registered_method: bool | None = False,
    ) -> Any:
        return self._multi_callable(Kind.UNARY_UNARY, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serialize = None,
        response_deserializer: Deserialize = None,
        _registered_method: bool | None = False,
    ) -> Any:
        return self._multi_callable(Kind.UNARY_STREAM, method, request_serializer, response_deserializer)

    def stream_unary(
        self,
        method: str,
        request_serializer: Serialize = None,
        response_deserializer: Deserialize = None,
        _registered_method: bool | None = False,
    ) -> Any:
        return self._multi_callable(Kind.STREAM_UNARY, method, request_serializer, response_deserializer)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serialize = None,
        response_deserializer: Deserialize = None,
        _registered_method: bool | None = False,
    ) -> Any:
        return self._multi_callable(Kind.STREAM_STREAM, method, request_serializer, response_deserializer)

    def _multi_callable(self, kind: Kind, method: str, serialize: Serialize, deserialize: Deserialize) -> Any:
        invocation = Invocation(self._calls, method, kind, serialize, deserialize)
        return multi_callable(invocation, self._interceptors[kind])
