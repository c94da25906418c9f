"""`InProcessServer`: hosts servicers for callers in the same process and event loop."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context
from enum import Enum
from functools import partial
from typing import Any

import grpc

from penstock.wire.handlers import Handler, HandlerWrapper
from penstock.wire.in_process.exchange import Exchange
from penstock.wire.in_process.final_status import HANDLER_CANCELLED, SERVER_STOPPED, FinalStatus
from penstock.wire.in_process.handling import InProcessCallDetails, handle


class State(Enum):
    """READY ── start ──> SERVING ── stop ──> STOPPING ── last handler done ──> STOPPED."""

    READY = "has not been started yet"
    SERVING = "is serving"
    STOPPING = "is stopping"
    STOPPED = "has stopped"


class InProcessServer(grpc.aio.Server):
    """Serves rpcs to the `InProcessChannel`s that are given it, as grpc.aio's server does to a port.

    Every handler runs in a task of this server's own group, in a fresh context.
    """

    def __init__(self, name: str = "server", interceptors: Sequence[grpc.aio.ServerInterceptor] = ()) -> None:
        self.name = name
        self.peer = f"inprocess:{name}"
        self.state = State.READY
        self._interceptors = tuple(interceptors)
        self._registered: dict[str, Handler] = {}
        self._generic: list[grpc.GenericRpcHandler] = []
        self._running: set[Exchange] = set()
        self._parked: list[Exchange] = []
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._handlers: asyncio.TaskGroup | None = None
        self._resolve = partial(self._intercept, 0) if self._interceptors else self._find
        # What wrappers make of a handler is the same for every call of its method.
        self._lasting = all(isinstance(interceptor, HandlerWrapper) for interceptor in self._interceptors)
        self._resolved: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        self._generic.extend(generic_rpc_handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        self._resolved.clear()
        for name, handler in method_handlers.items():
            self._registered[f"/{service_name}/{name}"] = handler

    def add_insecure_port(self, address: str) -> int:
        raise grpc.aio.UsageError(f"an in-process server has no port; serve {address} with grpc.aio.server")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        return self.add_insecure_port(address)

    async def start(self) -> None:
        if self.state is State.SERVING:
            return
        if self.state is not State.READY:
            raise grpc.aio.UsageError("Server not in ready state")
        started = asyncio.Event()
        # Held here and awaited in stop(): as with grpc.aio, serving outlives the call of start().
        self._serving = asyncio.create_task(self._serve(started), name=f"serve {self.peer}")
        await started.wait()

    async def stop(self, grace: float | None) -> None:
        """Refuses new calls, lets those running finish within `grace` seconds, and cancels the rest."""
        if self._serving is None:
            self._enter(State.STOPPED)
            return
        if self.state is State.SERVING:
            self._enter(State.STOPPING)
        self._stopping.set()
        if grace:
            await asyncio.wait([self._serving], timeout=grace)
        for exchange in list(self._running):
            exchange.break_off(SERVER_STOPPED)
        await asyncio.wait([self._serving])

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        try:
            async with asyncio.timeout(timeout):
                while self.state is not State.STOPPED:
                    await self.state_change()
        except TimeoutError:
            return True
        return False

    async def state_change(self) -> None:
        """Waits until `state` may have changed."""
        await self._changed.wait()

    def announce(self) -> None:
        """Wakes everyone who waits in `state_change`."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def accept(self, exchange: Exchange, wait_for_ready: bool | None) -> None:
        """Starts serving a call that arrives, or refuses it with UNAVAILABLE."""
        if self._handlers is not None and self.state is State.SERVING:
            exchange.task = self._handlers.create_task(handle(exchange, self._handler), context=Context())
            # From here on and not from its first step, so that no call slips past a stop that comes before that.
            self._running.add(exchange)
            exchange.task.add_done_callback(partial(self._handled, exchange))
        elif self.state is State.READY and wait_for_ready:
            self._parked.append(exchange)
        else:
            exchange.finish(
                FinalStatus(grpc.StatusCode.UNAVAILABLE, f"the in-process server {self.name!r} {self.state.value}")
            )

    async def _serve(self, started: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as handlers:
                self._handlers = handlers
                self._enter(State.SERVING)
                started.set()
                await self._stopping.wait()
        finally:
            self._handlers = None
            self._enter(State.STOPPED)

    def _handled(self, exchange: Exchange, task: asyncio.Task[None]) -> None:
        self._running.discard(exchange)
        exchange.finish(HANDLER_CANCELLED)  # does nothing, but for a handler that was cancelled before its first step

    def _enter(self, state: State) -> None:
        self.state = state
        parked, self._parked = self._parked, []
        for exchange in parked:
            if exchange.status is None:
                self.accept(exchange, wait_for_ready=None)
        self.announce()

    async def _handler(self, exchange: Exchange) -> Handler | None:
        handler = self._resolved.get(exchange.method)
        if handler is None:
            handler = await self._resolve(InProcessCallDetails(exchange.method, exchange.metadata))
            if handler is not None and self._lasting and exchange.method in self._registered:
                self._resolved[exchange.method] = handler
        return handler

    async def _find(self, details: grpc.HandlerCallDetails) -> Handler | None:
        handler = self._registered.get(details.method)
        if handler is not None:
            return handler
        for generic in self._generic:
            found: Handler | None = generic.service(details)
            if found is not None:
                return found
        return None

    async def _intercept(self, position: int, details: grpc.HandlerCallDetails) -> Any:
        if position == len(self._interceptors):
            return await self._find(details)
        return await self._interceptors[position].intercept_service(partial(self._intercept, position + 1), details)
