"""The tables, and the check that a file holds them in a version that this code knows."""

import sqlite3
from typing import Final

VERSION: Final = 1

# `runs` rows are rewritten as runs go on, so everything big or fixed stands in tables of its own. `chunks` holds one
# row for each entry, also for those without events, because they too must be recognised when they are repeated; its
# blob comes last, so that looking for an entry reads no events.
_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE runs (
  number INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL, run_id TEXT NOT NULL, session_id TEXT NOT NULL,
  state INTEGER NOT NULL, created_us INTEGER NOT NULL, deadline_us INTEGER,
  owner TEXT NOT NULL, claimable INTEGER NOT NULL,
  signals INTEGER NOT NULL, output_sequence INTEGER NOT NULL, waiting TEXT NOT NULL, head BLOB NOT NULL
);
CREATE UNIQUE INDEX runs_by_name ON runs (tenant, run_id);
CREATE INDEX runs_by_tenant ON runs (tenant);
CREATE INDEX runs_unfinished ON runs (tenant) WHERE state < 4;
CREATE INDEX runs_by_session ON runs (tenant, session_id) WHERE session_id <> '';
CREATE INDEX runs_unfinished_by_session ON runs (tenant, session_id) WHERE session_id <> '' AND state < 4;
CREATE INDEX runs_claimable ON runs (claimable) WHERE claimable = 1;
CREATE INDEX runs_owned ON runs (owner) WHERE owner <> '' AND state < 4;
CREATE INDEX runs_due ON runs (deadline_us) WHERE deadline_us IS NOT NULL AND owner = '' AND state = 1;

CREATE TABLE specs (run INTEGER PRIMARY KEY, summary BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE chunks (
  run INTEGER NOT NULL, first INTEGER NOT NULL, entry INTEGER NOT NULL, last INTEGER NOT NULL,
  lifecycle INTEGER NOT NULL, writer TEXT NOT NULL, writer_sequence INTEGER NOT NULL,
  log_bytes INTEGER NOT NULL, events BLOB NOT NULL,
  PRIMARY KEY (run, first, entry)
) WITHOUT ROWID;
CREATE TABLE checkpoints (
  run INTEGER NOT NULL, step_id TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (run, step_id)
) WITHOUT ROWID;
CREATE TABLE signals (
  run INTEGER NOT NULL, number INTEGER NOT NULL, signal_id TEXT NOT NULL, taken INTEGER NOT NULL,
  signal BLOB NOT NULL, PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE bases (
  run INTEGER NOT NULL, generation INTEGER NOT NULL, last_common INTEGER NOT NULL, PRIMARY KEY (run, generation)
) WITHOUT ROWID;
CREATE TABLE leases (
  instance_id TEXT PRIMARY KEY, expire_us INTEGER NOT NULL, ttl_us INTEGER NOT NULL,
  claim_id TEXT NOT NULL, claimed TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE sessions (
  number INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL, session_id TEXT NOT NULL, first_index INTEGER NOT NULL, next_index INTEGER NOT NULL,
  created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL
);
CREATE UNIQUE INDEX sessions_by_name ON sessions (tenant, session_id);
CREATE TABLE session_data (session INTEGER PRIMARY KEY, version INTEGER NOT NULL, data_json TEXT NOT NULL);
CREATE TABLE messages (
  session INTEGER NOT NULL, place INTEGER NOT NULL, message_id TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (session, place)
) WITHOUT ROWID;
CREATE UNIQUE INDEX messages_by_id ON messages (session, message_id);

CREATE TABLE stored_values (
  tenant TEXT NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL, live INTEGER NOT NULL,
  created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, expire_us INTEGER,
  metadata BLOB NOT NULL, data BLOB NOT NULL
);
CREATE UNIQUE INDEX values_by_key ON stored_values (tenant, key);
"""


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Makes the tables in a new file; raises ValueError when a newer Penstock, or something else, made the file."""
    try:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise ValueError(f"{path} holds something else than a database; choose another file") from error
    if not names:
        connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}")
        write_meta(connection, "schema_version", VERSION)
        write_meta(connection, "generation", 1)
        connection.execute("COMMIT")
        return
    if "meta" not in names:
        raise ValueError(f"{path} is a database of something else; choose another file")
    found = read_meta(connection, "schema_version")
    if not isinstance(found, int) or found > VERSION:
        raise ValueError(f"{path} has schema version {found}, newer than the {VERSION} known here; update Penstock")


def read_meta(connection: sqlite3.Connection, key: str) -> int | str | None:
    """Returns one of the store's own marks; None: never set."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def write_meta(connection: sqlite3.Connection, key: str, value: int | str) -> None:
    """Sets one of the store's own marks."""
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
