"""Leases: which instances are alive, on the store's clock."""

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from penstock.v1.ownership_pb2 import ClaimReason

# A lease that was given back or has lapsed stays until no run hangs on it, so that its runs can be found.
_UNUSED = (
    "DELETE FROM leases WHERE expire_us <= ? AND NOT EXISTS "
    "(SELECT 1 FROM runs WHERE owner = instance_id AND owner <> '' AND state < 4)"
)
# For that long in any case, so that its holder is told that it had lapsed.
_KEPT_US = 3_600_000_000


class Claimed(NamedTuple):
    """Names a run that was claimed, and why it was there to be claimed."""

    tenant: str
    run_id: str
    reason: ClaimReason


def holds_lease(connection: sqlite3.Connection, instance_id: str, now_us: int) -> bool:
    """Tells whether an instance holds a lease."""
    row = connection.execute(
        "SELECT 1 FROM leases WHERE instance_id = ? AND expire_us > ?", (instance_id, now_us)
    ).fetchone()
    return row is not None


def renew_lease(connection: sqlite3.Connection, instance_id: str, now_us: int, ttl_us: int) -> int | None:
    """Has a lease expire in `ttl_us`, where 0 gives it back; returns when it would have, None for a new one."""
    row = connection.execute("SELECT expire_us FROM leases WHERE instance_id = ?", (instance_id,)).fetchone()
    connection.execute(
        "INSERT INTO leases VALUES (?, ?, ?, '', '') "
        "ON CONFLICT (instance_id) DO UPDATE SET expire_us = excluded.expire_us, ttl_us = excluded.ttl_us",
        (instance_id, now_us + ttl_us, ttl_us),
    )
    return None if row is None else row[0]


def prolong_leases(connection: sqlite3.Connection, now_us: int) -> None:
    """Has each lease that was not given back hold for its full length from now on.

    While the store was away nobody could renew: the first to do so would take over the runs of all others.
    """
    connection.execute("UPDATE leases SET expire_us = max(expire_us, ? + ttl_us) WHERE ttl_us > 0", (now_us,))


def lapsed_instances(connection: sqlite3.Connection, now_us: int) -> list[str]:
    """Returns the instances whose leases have lapsed while runs may hang on them."""
    connection.execute(_UNUSED, (now_us - _KEPT_US,))
    rows = connection.execute("SELECT instance_id FROM leases WHERE expire_us <= ?", (now_us,))
    return [instance_id for (instance_id,) in rows]


def next_expiry(connection: sqlite3.Connection, now_us: int) -> int | None:
    """Returns when the next lease lapses; None: nobody holds one."""
    row = connection.execute("SELECT min(expire_us) FROM leases WHERE expire_us > ?", (now_us,)).fetchone()
    return None if row is None else row[0]


def remember_claim(connection: sqlite3.Connection, instance_id: str, claim_id: str, claimed: Sequence[Claimed]) -> None:
    """Notes what an instance's newest claim brought, for a repeat of it."""
    connection.execute(
        "UPDATE leases SET claim_id = ?, claimed = ? WHERE instance_id = ?",
        (claim_id, json.dumps(claimed), instance_id),
    )


def remembered_claim(connection: sqlite3.Connection, instance_id: str, claim_id: str) -> list[Claimed]:
    """Returns what a claim brought, if it is the instance's newest and it was not given back."""
    row = connection.execute(
        "SELECT claimed FROM leases WHERE instance_id = ? AND claim_id = ?", (instance_id, claim_id)
    ).fetchone()
    return [Claimed(*claimed) for claimed in json.loads(row[0])] if row is not None and row[0] else []
