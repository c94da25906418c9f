"""Whether an executor is there and ready, by the standard health protocol."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SERVICE: Final = "penstock.v1.ExecutorService"
_POLL_SECONDS: Final = 0.1


class Availability:
    """Asks the executors' health; one attempt must not be opened while no executor could take it."""

    def __init__(self, executor: grpc.aio.Channel) -> None:
        self._health: Any = health_pb2_grpc.HealthStub(executor)  # its published types leave the rpcs out

    async def wait(self, seconds: float) -> bool:
        """Waits until an executor says that it is serving; False when none did within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not await self._serving(seconds):  # noqa: ASYNC110 - another process can set no event of ours
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _serving(self, seconds: float) -> bool:
        request = health_pb2.HealthCheckRequest(service=_SERVICE)
        try:
            response = await self._health.Check(request, timeout=seconds, wait_for_ready=True)
        except grpc.aio.AioRpcError:
            return False
        return bool(response.status == health_pb2.HealthCheckResponse.SERVING)
