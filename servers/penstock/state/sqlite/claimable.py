"""Which runs there are to be claimed, and when there may be more."""

import sqlite3

from penstock.state.sqlite.leases import Claimed, lapsed_instances, next_expiry
from penstock.v1.ownership_pb2 import ClaimReason
from penstock.v1.run_pb2 import RunState


def find_claimable(connection: sqlite3.Connection, now_us: int, limit: int) -> list[Claimed]:
    """Returns runs that nobody drives: whose turn has come, whose deadline has passed, whose owner was lost."""
    found: dict[tuple[str, str], ClaimReason] = {}
    rows = connection.execute(
        "SELECT tenant, run_id FROM runs WHERE deadline_us <= ? AND deadline_us IS NOT NULL AND owner = '' "
        "AND state = 1 ORDER BY deadline_us LIMIT ?",
        (now_us, limit),
    )
    for tenant, run_id in rows:
        found[tenant, run_id] = ClaimReason.CLAIM_REASON_PAST_DEADLINE
    for lapsed in lapsed_instances(connection, now_us):
        rows = connection.execute(
            "SELECT tenant, run_id FROM runs WHERE owner = ? AND owner <> '' AND state < 4 LIMIT ?", (lapsed, limit)
        )
        for tenant, run_id in rows:
            found[tenant, run_id] = ClaimReason.CLAIM_REASON_ORPHANED
    # Last: however many wait, those whose owner was lost don't wait behind them.
    rows = connection.execute(
        "SELECT tenant, run_id, state FROM runs WHERE claimable = 1 ORDER BY number LIMIT ?", (limit,)
    )
    for tenant, run_id, state in rows:
        # One that was claimed before, and given back, may have been at work.
        queued = state == RunState.RUN_STATE_QUEUED
        reason = ClaimReason.CLAIM_REASON_QUEUED if queued else ClaimReason.CLAIM_REASON_ORPHANED
        found.setdefault((tenant, run_id), reason)
    return [Claimed(tenant, run_id, reason) for (tenant, run_id), reason in found.items()][:limit]


def next_due(connection: sqlite3.Connection, now_us: int) -> int | None:
    """Returns when the next lease lapses or the next deadline of a queued run passes; None: nothing is due."""
    (deadline_us,) = connection.execute(
        "SELECT min(deadline_us) FROM runs WHERE deadline_us > ? AND deadline_us IS NOT NULL AND owner = '' "
        "AND state = 1",
        (now_us,),
    ).fetchone()
    times = [time for time in (deadline_us, next_expiry(connection, now_us)) if time is not None]
    return min(times, default=None)
