"""Taking over runs that nobody drives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import grpc.aio
from google.protobuf.duration_pb2 import Duration

from penstock.orchestrator.lease import Lease
from penstock.run_log.absence import Absence
from penstock.v1.ownership_pb2 import ClaimedRun, ClaimRunsRequest
from penstock.wire.ids import random_id

if TYPE_CHECKING:
    from penstock.v1.ownership_pb2_grpc import OwnershipServiceAsyncStub

logger = logging.getLogger(__name__)

_WAIT_SECONDS: Final = 20


class Claims:
    """Asks for runs to drive, one long poll after the other, and hands each to `on_claimed`.

    A claim keeps its id until it is answered, so that a lost answer strands no run.
    """

    def __init__(
        self,
        stub: OwnershipServiceAsyncStub,
        instance_id: str,
        lease: Lease,
        batch: int,
        on_claimed: Callable[[ClaimedRun], None],
    ) -> None:
        self._stub = stub
        self._instance_id = instance_id
        self._lease = lease
        self._batch = batch
        self._on_claimed = on_claimed
        self._absence = Absence(logger, "could not claim runs", "runs are claimed again")

    async def run(self) -> None:
        """Claims for ever."""
        await self._lease.held.wait()
        claim_id = random_id("claim")
        while True:
            request = ClaimRunsRequest(
                instance_id=self._instance_id,
                max_runs=self._batch,
                wait=Duration(seconds=_WAIT_SECONDS),
                claim_id=claim_id,
            )
            try:
                response = await self._stub.ClaimRuns(request, timeout=_WAIT_SECONDS + 10.0)
            except grpc.aio.AioRpcError as error:
                self._absence.failed(error)
                await asyncio.sleep(0.5)
                continue
            self._absence.over()
            for claimed in response.runs:
                self._on_claimed(claimed)
            claim_id = random_id("claim")
