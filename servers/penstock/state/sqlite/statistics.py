"""What a file holds, counted."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from penstock.state.clock import to_timestamp
from penstock.state.sqlite.schema import read_meta
from penstock.v1.run_pb2 import Durability
from penstock.v1.state_admin_pb2 import GetStoreStatsResponse, StoreFigure

_COUNTS: Final = (
    ("runs", "SELECT count(*) FROM runs"),
    ("unfinished_runs", "SELECT count(*) FROM runs WHERE state < 4"),
    ("queued_runs", "SELECT count(*) FROM runs WHERE state = 1"),
    ("sessions", "SELECT count(*) FROM sessions"),
    ("messages", "SELECT count(*) FROM messages"),
    ("values", "SELECT count(*) FROM stored_values WHERE live = 1"),
    ("topics", "SELECT count(*) FROM topics"),
    ("topic_events", "SELECT count(*) FROM topic_events"),
    ("rate_limits", "SELECT count(*) FROM buckets"),
    ("reservations", "SELECT count(*) FROM reservations WHERE state = 1"),
)
# Number and creation go together but for runs that were imported, so that time itself is looked at.
_OLDEST: Final = "SELECT min(created_us) FROM runs"


def statistics(path: Path, keeps: Durability, now_us: int, connection: sqlite3.Connection) -> GetStoreStatsResponse:
    """Counts what there is; see StoreCare."""
    stats = GetStoreStatsResponse(
        engine=f"sqlite {sqlite3.sqlite_version}",
        place=str(path),
        schema_version=int(read_meta(connection, "schema_version") or 0),
        durability=keeps,
        generation=int(read_meta(connection, "generation") or 0),
        time=to_timestamp(now_us),
    )
    for name, query in _COUNTS:
        stats.figures.append(StoreFigure(name=name, count=connection.execute(query).fetchone()[0]))
    stats.figures.extend(StoreFigure(name=name, count=size) for name, size in _sizes(path, connection))
    (oldest_us,) = connection.execute(_OLDEST).fetchone()
    if oldest_us is not None:
        stats.oldest_run_time.CopyFrom(to_timestamp(oldest_us))
    (unfinished_us,) = connection.execute(f"{_OLDEST} WHERE state < 4").fetchone()
    if unfinished_us is not None:
        stats.oldest_unfinished_run_time.CopyFrom(to_timestamp(unfinished_us))
    return stats


def _sizes(path: Path, connection: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    yield "file_bytes", path.stat().st_size
    yield "unused_bytes", free * page_size
    wal = path.with_name(path.name + "-wal")
    yield "wal_bytes", wal.stat().st_size if wal.exists() else 0
