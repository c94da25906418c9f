"""Starts calls: what stands between a stub's method and the two ends of an in-process call."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc

from penstock.wire.call import Kind
from penstock.wire.in_process.calls import (
    Deserialize,
    InProcessCall,
    Serialize,
    StreamStream,
    StreamUnary,
    UnaryStream,
    UnaryUnary,
    oversized,
)
from penstock.wire.in_process.exchange import Exchange
from penstock.wire.in_process.final_status import INVALID_METADATA, FinalStatus
from penstock.wire.in_process.limits import MAX_MESSAGE_BYTES
from penstock.wire.in_process.metadata import InvalidMetadata, OversizedMetadata, Pair, carried
from penstock.wire.in_process.open_calls import OpenCalls


@dataclass(frozen=True, slots=True)
class Invocation:
    """Represents one method of a stub, ready to be called any number of times."""

    calls: OpenCalls
    method: str
    kind: Kind
    serialize: Serialize
    deserialize: Deserialize

    def start(
        self,
        sent: Any,
        timeout: float | None,
        metadata: Iterable[tuple[str, str | bytes]] | None,
        wait_for_ready: bool | None,
        method: str | None = None,
    ) -> InProcessCall:
        """Begins a call; `sent` is the request, or the iterator of a request stream (None: the caller will write).

        Raises UsageError on a closed channel, and whatever the serializer raises.
        """
        calls = self.calls
        if calls.closed:
            raise grpc.aio.UsageError("Channel is closed.")
        pairs, refusal = _checked(metadata) if metadata else ((), None)
        kind = self.kind
        loop = asyncio.get_running_loop()
        server = calls.server
        exchange = Exchange(loop, method or self.method, pairs, timeout, kind.response_streaming, server.peer)

        if not kind.request_streaming:
            raw = sent if self.serialize is None else self.serialize(sent)
            if len(raw) > MAX_MESSAGE_BYTES:
                refusal = oversized(raw)
            exchange.requests.push(raw)
            exchange.requests.close()
        if refusal is not None:
            exchange.break_off(refusal)
        if exchange.status is None:
            server.accept(exchange, wait_for_ready)
            calls.exchanges.add(exchange)
            exchange.on_settled(lambda: calls.exchanges.discard(exchange))
        return self._caller_end(exchange, sent)

    def _caller_end(self, exchange: Exchange, sent: Any) -> InProcessCall:
        match self.kind:
            case Kind.UNARY_UNARY:
                return UnaryUnary(exchange, self.deserialize)
            case Kind.UNARY_STREAM:
                return UnaryStream(exchange, self.deserialize)
            case Kind.STREAM_UNARY:
                return StreamUnary(exchange, self.serialize, self.deserialize, sent, self.calls.spawn)
            case Kind.STREAM_STREAM:
                return StreamStream(exchange, self.serialize, self.deserialize, sent, self.calls.spawn)


def _checked(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[tuple[Pair, ...], FinalStatus | None]:
    try:
        return carried(metadata), None
    except InvalidMetadata:
        return (), INVALID_METADATA
    except OversizedMetadata as error:
        return (), FinalStatus(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
