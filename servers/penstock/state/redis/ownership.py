"""Ownership on Redis: leases, claims and signals."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from penstock.state.clock import to_timestamp
from penstock.state.redis.claim_candidates import ClaimIndexes
from penstock.state.redis.claim_notes import ClaimNotes
from penstock.state.redis.claiming import Candidate, Claim, Claiming
from penstock.state.redis.faults import is_unclear
from penstock.state.redis.leases import Leases
from penstock.state.redis.room_step import Step
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_indexes import Place
from penstock.state.redis.run_reading import RunReader
from penstock.state.redis.run_signals import RunSignals
from penstock.state.waiters import Waiters
from penstock.v1.ownership_pb2 import (
    ClaimedRun,
    ClaimReason,
    RenewLeaseResponse,
    SendSignalRequest,
    SendSignalResponse,
    SignalOutcome,
)
from penstock.v1.run_log_pb2 import RunRecord
from penstock.wire.errors import FailedPrecondition, PenstockError, Unavailable

_MAX_CLAIM_BYTES: Final = 1024 * 1024
# However little is known to be due, who waits looks again after so long: news of another process may be lost.
_LOOK_AGAIN_S: Final = 5.0


# So long nobody looks again where all that was found was somebody else's.
_CROWDED_US: Final = 10_000


class _Taken(NamedTuple):
    """Represents runs that a claim got, and candidates that were not there to be claimed."""

    claimed: list[ClaimedRun]
    in_vain: list[Candidate]


class RedisOwnership:
    """Says who drives which run."""

    def __init__(
        self,
        rooms: Rooms,
        reader: RunReader,
        leases: Leases,
        candidates: ClaimIndexes,
        notes: ClaimNotes,
        claiming: Claiming,
        signals: RunSignals,
        waiters: Waiters,
        claimable: Callable[[], None],
    ) -> None:
        self._rooms = rooms
        self._reader = reader
        self._leases = leases
        self._candidates = candidates
        self._notes = notes
        self._claiming = claiming
        self._signals = signals
        self._waiters = waiters
        self._claimable = claimable

    async def claim(self, instance_id: str, claim_id: str, max_runs: int, wait: float) -> Sequence[ClaimedRun]:
        """See OwnershipStore."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        by = Claim(instance_id, claim_id, secrets.token_hex(8))
        asked: list[Candidate] = []
        try:
            while True:
                with self._waiters.waiting() as news:
                    claimed, next_us = await self._claim(asked, by, max_runs)
                    left = min(until - loop.time(), _LOOK_AGAIN_S)
                    if claimed or left <= 0:
                        return claimed
                    if next_us:
                        left = min(left, max(next_us - self._rooms.link.clock.now_us(), 0) / 1e6 + 0.001)
                    await asyncio.wait([news], timeout=left)
        except asyncio.CancelledError:
            for candidate in asked:
                # In the order of the calls, so after the claim. Nobody is left to hear how this goes; if it fails, the
                # runs come free with the instance's lease.
                back = partial(self._claiming.give_back, candidate.place, by)
                self._rooms.submit(*candidate.place[:2], back).add_done_callback(_ignore)
            raise

    async def renew(self, instance_id: str, ttl_us: int) -> RenewLeaseResponse:
        """See OwnershipStore."""
        now_us, before_us = await self._leases.renew(instance_id, ttl_us)
        expire_us = now_us + ttl_us
        lapsed = 0 < before_us <= now_us
        # Those who wait sleep until the first lease that they know of lapses; this one may do so earlier.
        if not before_us or lapsed or expire_us < before_us:
            self._claimable()
        return RenewLeaseResponse(expire_time=to_timestamp(expire_us), lapsed=lapsed)

    async def signal(self, request: SendSignalRequest) -> SendSignalResponse:
        """See OwnershipStore."""
        tenant, run_id = request.tenant, request.run_id

        def operation(step: Step) -> tuple[SignalOutcome, int, Step]:
            return *self._signals.send(step, run_id, request.signal_id, request.signal), step

        outcome, number, step = await self._rooms.submit(tenant, run_id, operation)
        if step.replicate and not step.replicated:
            text = f"the signal to run {run_id} is there, but too few replicas have confirmed it yet; send it again"
            raise Unavailable(text, reason="NOT_DURABLE", metadata={"run_id": run_id})
        reading = await self._reader.read(tenant, run_id, "run")
        run = None if reading is None else reading.put_together().run
        return SendSignalResponse(outcome=outcome, signal_number=number, run=run)

    async def _claim(self, asked: list[Candidate], by: Claim, max_runs: int) -> tuple[list[ClaimedRun], int]:
        """Claims; returns also when something may become claimable by the passing of time, 0: nobody knows."""
        look, noted = await asyncio.gather(self._leases.look(by.instance_id), self._notes.look(by))
        if not look.held:
            raise FailedPrecondition(f"instance {by.instance_id} holds no lease; renew it first", reason="LEASE_LAPSED")
        # What this attempt has noted itself was in vain.
        if noted.attempt != by.attempt and (claimed := (await self._take(noted.candidates, asked, by)).claimed):
            return claimed, 0
        # So many that some are left, whatever others are about to get.
        limit = max_runs + noted.reserved
        found = await self._candidates.read(look, limit)
        if not found.entries:
            return [], found.next_us
        # Before the first is claimed, so that a repeat finds them if the answer is lost.
        reserved = await self._notes.reserve(by, noted, list(found.entries), max_runs)
        stale: set[Candidate] = set()
        try:
            fitting = await self._fitting(reserved.candidates)
            if len(fitting) < len(reserved.candidates):
                await self._notes.narrow(by, fitting)
            taken = await self._take(fitting, asked, by)
            stale = self._candidates.were_in_vain(found, taken.in_vain)
        finally:
            # Those that are not what they seem stay reserved for a moment, so that the next look is at others.
            self._notes.let_go([run for run in reserved.candidates if run not in stale])
        next_us = look.now_us + _CROWDED_US if len(found.entries) == limit else found.next_us
        return taken.claimed, min((time for time in (next_us, reserved.next_us) if time), default=0)

    async def _fitting(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Returns the first candidates, whose records together fit into an answer."""
        records = await asyncio.gather(*(self._record(candidate.place) for candidate in candidates))
        size = 0
        for number, record in enumerate(records):
            size += record.ByteSize() if record else 0
            if number and size > _MAX_CLAIM_BYTES:
                return list(candidates[:number])
        return list(candidates)

    async def _take(self, candidates: Sequence[Candidate], asked: list[Candidate], by: Claim) -> _Taken:
        lost = await self._lost(candidates, by)
        candidates = [each for each in candidates if not each.owner or each in lost]
        asked[:] = candidates
        reasons = await asyncio.gather(
            *(
                self._rooms.submit(
                    *candidate.place[:2], partial(self._claiming.claim, candidate, lost.get(candidate, 0), by)
                )
                for candidate in candidates
            ),
            return_exceptions=True,
        )
        taken: list[tuple[Place, ClaimReason]] = []
        in_vain: list[Candidate] = []
        failures: list[BaseException] = []
        for candidate, reason in zip(candidates, reasons, strict=True):
            if isinstance(reason, BaseException):
                failures.append(reason)
            elif reason is None:
                in_vain.append(candidate)
            else:
                taken.append((candidate.place, reason))
        for failure in failures:
            # What may be the claimer's by now only a repeat finds: told of the others alone he would never drive it.
            if not taken or not isinstance(failure, PenstockError) or is_unclear(failure):
                raise failure
        records = await asyncio.gather(*(self._record(place) for place, _ in taken))
        return _Taken(
            [
                ClaimedRun(record=record, reason=reason)
                for (_, reason), record in zip(taken, records, strict=True)
                if record is not None and record.owner_instance_id == by.instance_id
            ],
            in_vain,
        )

    async def _lost(self, candidates: Sequence[Candidate], by: Claim) -> dict[Candidate, int]:
        """Returns the epochs of those whose owners have lost them; 0 for those that an earlier attempt has claimed.

        An owner who held no lease after the epoch was read has lost it, whatever he has claimed since.
        """
        owned = [candidate for candidate in candidates if candidate.owner]
        if not owned:
            return {}
        readings = await asyncio.gather(*(self._reader.read(*each.place[:2], "state") for each in owned))
        lapsed = (await self._leases.look(by.instance_id)).lapsed
        lost: dict[Candidate, int] = {}
        for candidate, reading in zip(owned, readings, strict=True):
            if reading is None:
                continue
            record = reading.run.head.record
            if candidate.owner in lapsed:
                lost[candidate] = record.epoch
            elif record.owner_instance_id == by.instance_id:
                lost[candidate] = 0  # its former owner has a lease again, which is no matter any more
        return lost

    async def _record(self, place: Place) -> RunRecord | None:
        reading = await self._reader.read(place.tenant, place.run_id, "record")
        if reading is None:
            return None
        record = reading.put_together()
        record.spec.ClearField("plan")
        return record


def _ignore(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
