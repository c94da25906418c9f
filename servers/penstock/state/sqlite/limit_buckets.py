"""Rows of token buckets; one that is full has none."""

import sqlite3

from google.protobuf.duration_pb2 import Duration

from penstock.state.token_bucket import full_after_us, grants, missing_now, wait_us
from penstock.v1.limit_pb2 import TakeRequest, TakeResponse


def take(connection: sqlite3.Connection, request: TakeRequest, now_us: int) -> TakeResponse:
    """Takes tokens of all the buckets, or changes nothing; see LimitStore."""
    found = [_found(connection, request.tenant, limit.name, now_us) for limit in request.limits]
    longest_us, name = -1, ""
    for limit, (missing, at_us) in zip(request.limits, found, strict=True):
        if limit.amount > limit.burst:
            return TakeResponse(granted=False, limit_name=limit.name)
        if not grants(missing, now_us - at_us, limit.rate, limit.burst, limit.amount):
            left_us = wait_us(missing, now_us - at_us, limit.rate, limit.burst, limit.amount)
            longest_us, name = max((longest_us, name), (left_us, limit.name), key=lambda each: each[0])
    if name:
        retry_after = Duration()
        retry_after.FromMicroseconds(longest_us)
        return TakeResponse(granted=False, retry_after=retry_after, limit_name=name)
    for limit, (missing, at_us) in zip(request.limits, found, strict=True):
        left = missing_now(missing, now_us - at_us, limit.rate) + limit.amount
        connection.execute(
            "INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?, ?)",
            (request.tenant, limit.name, left, now_us, now_us + full_after_us(left, limit.rate)),
        )
    return TakeResponse(granted=True)


def has_full(connection: sqlite3.Connection, now_us: int) -> bool:
    """Tells whether there are buckets that are full again."""
    return connection.execute("SELECT 1 FROM buckets WHERE full_us <= ? LIMIT 1", (now_us,)).fetchone() is not None


def forget_full(connection: sqlite3.Connection, now_us: int, most: int) -> int:
    """Forgets buckets that are full again, at most so many; returns how many."""
    return connection.execute(
        "DELETE FROM buckets WHERE (tenant, name) IN (SELECT tenant, name FROM buckets WHERE full_us <= ? LIMIT ?)",
        (now_us, most),
    ).rowcount


def _found(connection: sqlite3.Connection, tenant: str, name: str, now_us: int) -> tuple[float, int]:
    """Returns what a bucket misses, and since when that is known."""
    row = connection.execute(
        "SELECT missing, at_us FROM buckets WHERE tenant = ? AND name = ?", (tenant, name)
    ).fetchone()
    if row is None:
        return 0.0, now_us
    missing, at_us = row
    if at_us > now_us:
        # The machine's clock was set back while the store was closed: the bucket fills from now on, not from then.
        connection.execute("UPDATE buckets SET at_us = ? WHERE tenant = ? AND name = ?", (now_us, tenant, name))
        at_us = now_us
    return missing, at_us
