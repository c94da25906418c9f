"""Ownership on SQLite: leases, claims and signals."""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial

from penstock.state.clock import StoreClock, to_timestamp
from penstock.state.log.head import is_terminal
from penstock.state.sqlite.claimable import find_claimable, next_due
from penstock.state.sqlite.database import Database, Transaction
from penstock.state.sqlite.ending import Ending
from penstock.state.sqlite.heads import HeadCache
from penstock.state.sqlite.leases import Claimed, holds_lease, remember_claim, remembered_claim, renew_lease
from penstock.state.sqlite.run_rows import read_record, save_head
from penstock.state.sqlite.session_rows import SessionRows
from penstock.state.waiters import Waiters
from penstock.v1.ownership_pb2 import (
    ClaimedRun,
    RenewLeaseResponse,
    SendSignalRequest,
    SendSignalResponse,
)
from penstock.wire.errors import FailedPrecondition

_MAX_CLAIM_BYTES = 1024 * 1024


class SqliteOwnership:
    """Says who drives which run."""

    def __init__(
        self,
        database: Database,
        heads: HeadCache,
        ending: Ending,
        clock: StoreClock,
        waiters: Waiters,
        sessions: SessionRows,
    ) -> None:
        self._sessions = sessions
        self._database = database
        self._heads = heads
        self._ending = ending
        self._clock = clock
        self._waiters = waiters

    async def claim(self, instance_id: str, claim_id: str, max_runs: int, wait: float) -> Sequence[ClaimedRun]:
        """See OwnershipStore."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            with self._waiters.waiting() as news:
                claimed: list[ClaimedRun] = []
                try:
                    due_us = await self._database.write(partial(self._claim, claimed, instance_id, claim_id, max_runs))
                except asyncio.CancelledError:
                    self._give_back(claimed)
                    raise
                left = until - loop.time()
                if claimed or left <= 0:
                    return claimed
                if due_us is not None:
                    left = min(left, max(due_us - self._clock.now_us(), 0) / 1e6 + 0.001)
                await asyncio.wait([news], timeout=left)

    def renew(self, instance_id: str, ttl_us: int) -> Awaitable[RenewLeaseResponse]:
        """See OwnershipStore."""

        def operation(transaction: Transaction) -> RenewLeaseResponse:
            now_us = self._clock.now_us()
            expire_us = now_us + ttl_us
            before_us = renew_lease(transaction.connection, instance_id, now_us, ttl_us)
            lapsed = before_us is not None and before_us <= now_us
            # Those who wait sleep until the first lease that they know of lapses; this one may do so earlier.
            if before_us is None or lapsed or expire_us < before_us:
                transaction.on_done(self._waiters.wake)
            return RenewLeaseResponse(expire_time=to_timestamp(expire_us), lapsed=lapsed)

        return self._database.write(operation)

    def signal(self, request: SendSignalRequest) -> Awaitable[SendSignalResponse]:
        """See OwnershipStore."""

        def operation(transaction: Transaction) -> SendSignalResponse:
            outcome, number = self._ending.send(
                transaction, request.tenant, request.run_id, signal_id=request.signal_id, signal=request.signal
            )
            record = read_record(transaction.connection, request.tenant, request.run_id, run_only=True)
            return SendSignalResponse(
                outcome=outcome, signal_number=number, run=record.run if record is not None else None
            )

        return self._database.write(operation)

    def _claim(
        self, claimed: list[ClaimedRun], instance_id: str, claim_id: str, max_runs: int, transaction: Transaction
    ) -> int | None:
        """Claims into `claimed`; returns when something may become claimable by the passing of time."""
        connection = transaction.connection
        now_us = self._clock.now_us()
        if not holds_lease(connection, instance_id, now_us):
            raise FailedPrecondition(f"instance {instance_id} holds no lease; renew it first", reason="LEASE_LAPSED")
        claimed.extend(self._claimed_before(transaction, instance_id, claim_id))
        if claimed:
            return None
        names: list[Claimed] = []
        size = 0
        for candidate in find_claimable(connection, now_us, max_runs):
            head = self._heads.get(connection, candidate.tenant, candidate.run_id)
            if head is None:
                continue
            found = read_record(connection, candidate.tenant, candidate.run_id)
            size += 0 if found is None else found.ByteSize()
            if names and size > _MAX_CLAIM_BYTES:
                break
            self._heads.about_to_change(transaction, head)
            if head.record.epoch == 0:
                self._sessions.fix_history(connection, head, now_us)
            head.record.owner_instance_id = instance_id
            head.record.epoch += 1
            head.claimable = False
            save_head(connection, head)
            record = read_record(connection, candidate.tenant, candidate.run_id)
            claimed.append(ClaimedRun(record=record, reason=candidate.reason))
            names.append(candidate)
        if names:
            remember_claim(connection, instance_id, claim_id, names)
        return next_due(connection, now_us)

    def _claimed_before(self, transaction: Transaction, instance_id: str, claim_id: str) -> list[ClaimedRun]:
        found: list[ClaimedRun] = []
        for name in remembered_claim(transaction.connection, instance_id, claim_id):
            record = read_record(transaction.connection, name.tenant, name.run_id)
            if record is not None and record.owner_instance_id == instance_id and not is_terminal(record.run.state):
                found.append(ClaimedRun(record=record, reason=name.reason))
        return found

    def _give_back(self, claimed: Sequence[ClaimedRun]) -> None:
        """Lets others have what was claimed for a caller who has gone."""
        if not claimed:
            return

        def operation(transaction: Transaction) -> None:
            for run in claimed:
                head = self._heads.get(transaction.connection, run.record.tenant, run.record.run.run_id)
                if head is None or head.finished or head.record.epoch != run.record.epoch:
                    continue
                self._heads.about_to_change(transaction, head)
                head.record.owner_instance_id = ""
                head.claimable = True
                save_head(transaction.connection, head)
            transaction.on_done(self._waiters.wake)

        # Nobody is left to hear how this went; if it fails, the runs come free with the instance's lease.
        self._database.write(operation).add_done_callback(asyncio.Future.exception)
