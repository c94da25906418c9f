"""This process's lease: as long as it is renewed, the process owns the runs that it started or claimed."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

import grpc.aio
from google.protobuf.duration_pb2 import Duration

from penstock.run_log.absence import Absence
from penstock.v1.ownership_pb2 import RenewLeaseRequest

if TYPE_CHECKING:
    from penstock.v1.ownership_pb2_grpc import OwnershipServiceAsyncStub

logger = logging.getLogger(__name__)


class Lease:
    """Keeps one instance's lease by a heartbeat, of which the store's clock decides.

    `held` is set once the lease was taken. A lease that lapses is no error: whoever claims a run raises its epoch, and
    the log then refuses what the former owner writes.
    """

    def __init__(self, stub: OwnershipServiceAsyncStub, instance_id: str, lease_seconds: float) -> None:
        self._stub = stub
        self._instance_id = instance_id
        self._seconds = lease_seconds
        self._absence = Absence(logger, "could not renew the lease", "the lease is renewed again")
        self.held = asyncio.Event()

    async def keep(self) -> None:
        """Renews the lease for ever, three times in its length; at once again when the state layer was away."""
        while True:
            taken = await self._renew(self._seconds)
            beat = self._seconds / 3 if taken else min(0.5, self._seconds / 10)
            await asyncio.sleep(beat * random.uniform(0.8, 1.0))

    async def give_back(self) -> None:
        """Ends the lease, so that others need not wait for it to lapse."""
        await self._renew(0.0)

    async def _renew(self, seconds: float) -> bool:
        ttl = Duration()
        ttl.FromNanoseconds(round(seconds * 1e9))
        try:
            response = await self._stub.RenewLease(
                RenewLeaseRequest(instance_id=self._instance_id, ttl=ttl), timeout=max(1.0, self._seconds / 3)
            )
        except grpc.aio.AioRpcError as error:
            self._absence.failed(error)
            return False
        self._absence.over()
        if response.lapsed:
            logger.warning("the lease had lapsed; runs may have been taken over by others")
        self.held.set()
        return True
