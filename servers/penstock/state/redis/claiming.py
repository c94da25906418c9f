"""Claiming one run, and giving it back, as operations on its room."""

from collections.abc import Callable
from typing import Final, NamedTuple

from penstock.state.redis.room_step import Step
from penstock.state.redis.run_indexes import DOUBT_US, Place, RunIndexes
from penstock.state.redis.run_record import RoomRun
from penstock.state.redis.session_history import SessionHistory
from penstock.v1.ownership_pb2 import ClaimReason
from penstock.v1.run_pb2 import RUN_STATE_QUEUED

_REASONS: Final = {
    int(reason): reason
    for reason in (
        ClaimReason.CLAIM_REASON_QUEUED,
        ClaimReason.CLAIM_REASON_ORPHANED,
        ClaimReason.CLAIM_REASON_PAST_DEADLINE,
    )
}


class Candidate(NamedTuple):
    """Represents a run that may be there to be claimed; `owner` is who has it by a lease that has lapsed, '' nobody."""

    place: Place
    owner: str


class Claim(NamedTuple):
    """Names a claim by its instance, and this attempt of it: there are more where an answer was lost."""

    instance_id: str
    claim_id: str
    attempt: str


class Claiming:
    """Changes who drives a run."""

    def __init__(self, history: SessionHistory, indexes: RunIndexes, claimable: Callable[[], None]) -> None:
        self._history = history
        self._indexes = indexes
        self._claimable = claimable

    def claim(self, candidate: Candidate, lost_epoch: int, claim: Claim, step: Step) -> ClaimReason | None:
        """Claims a run if nobody drives it, or if an earlier attempt has it; None: it is not there to be claimed.

        `lost_epoch` is the epoch that the candidate's owner lost with its lease, 0: none.
        """
        run = step.run(candidate.place.run_id)
        if run is None or run.head.finished:
            return None
        former = run.head.record.owner_instance_id
        claimed_for, attempt, claim_id = _unpack(run.claim_id)
        if former == claim.instance_id and claim_id == claim.claim_id:
            reason = _REASONS[claimed_for]
            if attempt != claim.attempt:
                # From now on the earlier attempt, whose caller has gone, can't give it back.
                run = step.edit(run)
                run.claim_id = _pack(reason, claim)
                step.write_head(run)
            return reason
        found = self._reason(step, run, candidate.owner, lost_epoch)
        if found is None:
            return None
        run = step.edit(run)
        record = run.head.record
        if record.epoch == 0:
            self._history.fix(step, run)
        record.owner_instance_id = claim.instance_id
        record.epoch += 1
        run.head.claimable = False
        run.doubted_us = 0
        run.claim_id = _pack(found, claim)
        step.replicate = step.replicate or run.durable is not None
        step.indexes.append(self._indexes.taken(run, step.now_us))
        step.cleanup += self._indexes.no_longer_free(candidate.place)
        if former and former != claim.instance_id:
            step.cleanup.append(self._indexes.left(candidate.place, former))
        step.write_head(run)
        return found

    def give_back(self, place: Place, claim: Claim, step: Step) -> None:
        """Lets others have a run that this attempt of a claim has brought to a caller who has gone."""
        run = step.run(place.run_id)
        if run is None or run.head.finished:
            return
        owner = run.head.record.owner_instance_id
        if owner != claim.instance_id or _unpack(run.claim_id)[1:] != (claim.attempt, claim.claim_id):
            return
        run = step.edit(run)
        run.head.record.owner_instance_id = ""
        run.head.claimable = True
        run.claim_id = ""
        step.indexes.append(self._indexes.free(run, step.now_us))
        step.cleanup.append(self._indexes.left(place, claim.instance_id))
        step.write_head(run)
        step.then.append(self._claimable)

    @staticmethod
    def _reason(step: Step, run: RoomRun, lapsed: str, lost_epoch: int) -> ClaimReason | None:
        head = run.head
        owner = head.record.owner_instance_id
        if owner:
            silent = 0 < run.doubted_us <= step.now_us - DOUBT_US
            # Whoever has his lease again may have claimed the run again too: under another epoch.
            lost = owner == lapsed and head.record.epoch == lost_epoch
            return ClaimReason.CLAIM_REASON_ORPHANED if silent or lost else None
        if head.state == RUN_STATE_QUEUED and run.deadline_us and run.deadline_us <= step.now_us:
            return ClaimReason.CLAIM_REASON_PAST_DEADLINE
        if not head.claimable:
            return None
        # One that was claimed before, and given back, may have been at work.
        queued = head.state == RUN_STATE_QUEUED
        return ClaimReason.CLAIM_REASON_QUEUED if queued else ClaimReason.CLAIM_REASON_ORPHANED


def _pack(reason: ClaimReason, claim: Claim) -> str:
    return f"{int(reason)} {claim.attempt} {claim.claim_id}"


def _unpack(packed: str) -> tuple[int, str, str]:
    reason, attempt, claim_id = packed.split(" ", 2) if packed else ("0", "", "")
    return int(reason), attempt, claim_id
