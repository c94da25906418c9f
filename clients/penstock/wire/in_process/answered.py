"""What interceptors may return instead of a call: a response, or an iterator of responses."""

from collections.abc import AsyncIterator, Generator
from typing import Any

import grpc

from penstock.wire.call import Kind


class Answered(grpc.aio.UnaryUnaryCall[Any, Any]):
    """Represents a call that is over, with a response an interceptor has made or taken."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __await__(self) -> Generator[Any, None, Any]:
        return self._response
        yield

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def add_done_callback(self, callback: Any) -> None:
        callback(self)

    def time_remaining(self) -> float | None:
        return None

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK

    async def details(self) -> str:
        return ""

    async def debug_error_string(self) -> str:
        """Returns nothing: it went well."""
        return ""

    async def wait_for_connection(self) -> None:
        return None


class Iterated(grpc.aio.Call):
    """Represents a stream whose responses an interceptor has changed on their way."""

    def __init__(self, call: Any, responses: AsyncIterator[Any]) -> None:
        self._call = call
        self._responses = responses

    @classmethod
    def around(cls, kind: Kind, call: Any, responses: AsyncIterator[Any]) -> "Iterated":
        """Returns the call of the given kind with other responses."""
        made = IteratedStreamStream if kind.request_streaming else IteratedUnaryStream
        return made(call, responses)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._responses.__aiter__()

    async def read(self) -> Any:
        """Returns the next response, or EOF."""
        return await anext(self._responses, grpc.aio.EOF)

    def cancel(self) -> bool:
        return bool(self._call.cancel())

    def cancelled(self) -> bool:
        return bool(self._call.cancelled())

    def done(self) -> bool:
        return bool(self._call.done())

    def add_done_callback(self, callback: Any) -> None:
        self._call.add_done_callback(callback)

    def time_remaining(self) -> Any:
        return self._call.time_remaining()

    async def initial_metadata(self) -> Any:
        return await self._call.initial_metadata()

    async def trailing_metadata(self) -> Any:
        return await self._call.trailing_metadata()

    async def code(self) -> Any:
        return await self._call.code()

    async def details(self) -> Any:
        return await self._call.details()

    async def debug_error_string(self) -> Any:
        """Returns what is known of the end of the call, as text for people."""
        return await self._call.debug_error_string()

    async def wait_for_connection(self) -> None:
        await self._call.wait_for_connection()


class IteratedUnaryStream(Iterated, grpc.aio.UnaryStreamCall[Any, Any]):
    """A call with one request whose responses have been changed."""


class IteratedStreamStream(Iterated, grpc.aio.StreamStreamCall[Any, Any]):
    """A call with streams both ways whose responses have been changed."""

    async def write(self, request: Any) -> None:
        await self._call.write(request)

    async def done_writing(self) -> None:
        await self._call.done_writing()
