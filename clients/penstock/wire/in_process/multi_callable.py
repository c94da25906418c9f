"""The methods of a stub on an in-process channel: what calling them starts."""

from collections.abc import Iterable
from typing import Any

import grpc

from penstock.wire.in_process.calls import Requests
from penstock.wire.in_process.intercepted import INTERCEPTED, run_interceptors
from penstock.wire.in_process.invocation import Invocation
from penstock.wire.in_process.request_feed import RequestFeed

Metadata = Iterable[tuple[str, str | bytes]]


class _MultiCallable:
    def __init__(self, invocation: Invocation, interceptors: list[grpc.aio.ClientInterceptor]) -> None:
        self._invocation = invocation
        self._interceptors = interceptors

    def _begin(
        self,
        sent: Any,
        timeout: float | None,
        metadata: Metadata | None,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,
    ) -> Any:
        invocation = self._invocation
        if not self._interceptors:
            return invocation.start(sent, timeout, metadata, wait_for_ready)
        if invocation.calls.closed:
            raise grpc.aio.UsageError("Channel is closed.")
        feed = RequestFeed() if invocation.kind.request_streaming and sent is None else None
        details = grpc.aio.ClientCallDetails(
            invocation.method, timeout, grpc.aio.Metadata(*(metadata or ())), credentials, wait_for_ready
        )
        starting = invocation.calls.spawn(
            run_interceptors(invocation, self._interceptors, details, sent if feed is None else feed)
        )
        return INTERCEPTED[invocation.kind](starting, feed)


class _OneRequest(_MultiCallable):
    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        return self._begin(request, timeout, metadata, credentials, wait_for_ready)


class _RequestStream(_MultiCallable):
    def __call__(
        self,
        request_iterator: Requests | None = None,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        return self._begin(request_iterator, timeout, metadata, credentials, wait_for_ready)


def multi_callable(invocation: Invocation, interceptors: list[grpc.aio.ClientInterceptor]) -> Any:
    """Returns what stands in a stub for this method."""
    shape = _RequestStream if invocation.kind.request_streaming else _OneRequest
    return shape(invocation, interceptors)
