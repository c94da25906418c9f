"""Bringing a file of an older version forward, with a copy of it kept beside."""

import logging
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from itertools import count, groupby
from operator import attrgetter
from pathlib import Path
from typing import Final

from penstock.state.clock import from_timestamp
from penstock.state.sqlite.from_version_1 import derive_labels, derive_turns
from penstock.state.sqlite.journal_entry import Entry
from penstock.state.sqlite.log_rows import insert_log
from penstock.state.sqlite.schema import VERSION, make_tables, write_meta
from penstock.v1.run_log_pb2 import RunRecord

_LOGGER: Final = logging.getLogger(__name__)

# Columns of version 2 that are told by others of version 1.
_TOLD: Final[Mapping[str, Mapping[str, str]]] = {"sessions": {"used_us": "updated_us"}}

_CHUNKS: Final = (
    "SELECT run, entry, first, last, lifecycle, writer, writer_sequence, log_bytes, events FROM chunks "
    "ORDER BY run, first, entry"
)
_LOG_BYTES: Final = "SELECT log_bytes FROM chunks WHERE run = ? ORDER BY first DESC, entry DESC LIMIT 1"


def migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Makes what is now written of a file of version 1, all or nothing."""
    backup = _back_up(connection, path, version)
    _LOGGER.warning(
        "%s has version %d and is brought to %d; as it was it is kept in %s", path, version, VERSION, backup
    )
    connection.execute("BEGIN IMMEDIATE")
    try:
        _make_anew(connection)
        for derive in (_derive_logs, _derive_ends, derive_labels, derive_turns):
            derive(connection)
        connection.execute("DROP TABLE chunks")
        write_meta(connection, "schema_version", VERSION)
    except BaseException:
        if connection.in_transaction:  # a full disk makes SQLite end it by itself
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copies a file to a name that nothing has yet; a copy that was not finished never has that name."""
    part = path.with_name(f"{path.name}.v{version}.part")
    part.unlink(missing_ok=True)
    part.touch(0o600)
    try:
        with closing(sqlite3.connect(part)) as copy:
            connection.backup(copy)
    except BaseException:
        part.unlink()  # of a full disk it would be the part that nobody knows of
        raise
    names = (path.with_name(f"{path.name}.v{version}.bak{number or ''}") for number in count())
    backup = next(name for name in names if not name.exists())
    os.rename(part, backup)
    return backup


def _make_anew(connection: sqlite3.Connection) -> None:
    """Makes all tables as they are now, with the rows that there are; those that stay as they are aren't touched."""
    with closing(sqlite3.connect(":memory:")) as model:
        make_tables(model)
        wanted = {name: _columns(model, name) for name in _names(model, "table")}
        # Tables before their indexes.
        made = model.execute(
            "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC"
        ).fetchall()
    for index in _names(connection, "index"):
        connection.execute(f"DROP INDEX {index}")
    old = {name: _columns(connection, name) for name in _names(connection, "table") if name in wanted}
    changed = [name for name in old if old[name] != wanted[name]]
    for name in changed:
        connection.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
    for name, kind, sql in made:
        if kind == "index" or name in changed or name not in old:
            connection.execute(sql)
    for name in changed:
        told = _TOLD.get(name, {})
        columns = [column for column in wanted[name] if column in old[name] or column in told]
        values = [told.get(column, column) for column in columns]
        connection.execute(f"INSERT INTO {name} ({', '.join(columns)}) SELECT {', '.join(values)} FROM old_{name}")
        connection.execute(f"DROP TABLE old_{name}")


def _names(connection: sqlite3.Connection, kind: str) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = ? AND sql IS NOT NULL", (kind,))
    return [name for (name,) in rows]


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]


def _derive_logs(connection: sqlite3.Connection) -> None:
    with closing(connection.execute(_CHUNKS)) as rows:
        entries = (
            Entry(run, number, first, last, bool(lifecycle), *rest)
            for run, number, first, last, lifecycle, *rest in rows
        )
        for _, log in groupby(entries, key=attrgetter("run")):
            insert_log(connection, list(log))


def _derive_ends(connection: sqlite3.Connection) -> None:
    with closing(connection.execute("SELECT number, head FROM runs WHERE state >= 4")) as rows:
        ended = [(number, from_timestamp(RunRecord.FromString(head).run.finish_time)) for number, head in rows]
    for number, finished_us in ended:
        (log_bytes,) = connection.execute(_LOG_BYTES, (number,)).fetchone()
        connection.execute(
            "UPDATE runs SET finished_us = ?, log_bytes = ? WHERE number = ?", (finished_us, log_bytes, number)
        )
