"""Calls with one answer, repeated until there is one."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import grpc

from penstock.client.asking import Asked
from penstock.client.doors import Doors
from penstock.client.persistence import Persistence
from penstock.wire.errors import Cancelled

if TYPE_CHECKING:
    from penstock.v1.gateway_pb2_grpc import GatewayServiceAsyncStub

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Calls:
    """Makes calls that are safe to repeat: reads, and writes with a key."""

    def __init__(self, doors: Doors, patience: float) -> None:
        self._doors = doors
        self._patience = patience

    async def ask(
        self,
        method: "Callable[[GatewayServiceAsyncStub], grpc.aio.UnaryUnaryMultiCallable[Request, Answer]]",
        request: Request,
        timeout: float | None,
        **facts: str,
    ) -> Answer:
        """Returns the answer, after as many tries as it takes within `timeout` seconds in all (None: no limit).

        Raises the last failure as an error of the tree, with the facts in its metadata.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        persistence = Persistence(self._doors, self._patience, deadline)
        door = self._doors.current
        asked = Asked.anew(door.address)
        while True:
            began = time.monotonic()
            left = None if deadline is None else max(0.0, deadline - began)
            try:
                answer = await method(door.stub)(request, timeout=left, metadata=asked.metadata)
            except grpc.aio.AioRpcError as error:
                failure = asked.failed(error, facts)
            except asyncio.CancelledError:
                if not self._doors.closed or ((task := asyncio.current_task()) is not None and task.cancelling()):
                    raise
                raise self._closed(asked, facts) from None
            else:
                self._doors.reached = True
                return answer
            if self._doors.closed:
                raise self._closed(asked, facts)
            again = persistence.failed(door, failure, began)
            await self._doors.pause(again.pause)
            if self._doors.closed:
                raise self._closed(asked, facts)
            door = self._doors.current
            asked = asked.again(door.address)

    @staticmethod
    def _closed(asked: Asked, facts: dict[str, str]) -> Cancelled:
        error = Cancelled("the client was closed while a call waited for its answer", reason="CLIENT_CLOSED")
        asked.named(error, facts)
        return error
