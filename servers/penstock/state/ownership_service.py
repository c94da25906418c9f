"""`OwnershipService`: who drives which run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.state.stores import OwnershipStore
from penstock.state.violations import MAX_BATCH, Violations
from penstock.v1 import ownership_pb2 as pb
from penstock.v1.ownership_pb2_grpc import OwnershipServiceServicer
from penstock.wire.rules.fields import check_id
from penstock.wire.rules.findings import Findings
from penstock.wire.rules.signal import check_signal

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]

_LONGEST_WAIT = 60.0
_SHORTEST_LEASE = 0.1
_LONGEST_LEASE = 300.0


class OwnershipService(OwnershipServiceServicer):
    """Serves leases, claims and signals from a store."""

    def __init__(self, store: OwnershipStore) -> None:
        self._store = store

    async def ClaimRuns(self, request: pb.ClaimRunsRequest, context: Context) -> pb.ClaimRunsResponse:
        violations = Violations()
        violations.id("instance_id", request.instance_id)
        violations.id("claim_id", request.claim_id)
        if not 1 <= request.max_runs <= MAX_BATCH:
            violations.add("max_runs", f"must be 1 to {MAX_BATCH}")
        wait = violations.duration("wait", request.wait, 0.0, _LONGEST_WAIT)
        violations.raise_any()
        return pb.ClaimRunsResponse(
            runs=await self._store.claim(request.instance_id, request.claim_id, request.max_runs, wait)
        )

    async def RenewLease(self, request: pb.RenewLeaseRequest, context: Context) -> pb.RenewLeaseResponse:
        violations = Violations()
        violations.id("instance_id", request.instance_id)
        gives_back = not request.ttl.seconds and not request.ttl.nanos
        ttl = 0.0 if gives_back else violations.duration("ttl", request.ttl, _SHORTEST_LEASE, _LONGEST_LEASE)
        violations.raise_any()
        return await self._store.renew(request.instance_id, round(ttl * 1e6))

    async def SendSignal(self, request: pb.SendSignalRequest, context: Context) -> pb.SendSignalResponse:
        findings = Findings()
        check_id(findings, "tenant", request.tenant)
        check_id(findings, "run_id", request.run_id)
        check_id(findings, "signal_id", request.signal_id)
        check_signal(findings, request.signal)
        findings.raise_any()
        return await self._store.signal(request)
