"""The tables, and the check that a file holds them in a version that this code knows."""

import sqlite3
from pathlib import Path
from typing import Final

VERSION: Final = 2

# The mark with the highest number of a run that was removed.
LAST_REMOVED: Final = "last_removed_run"

# `runs` rows are rewritten as runs go on, so everything big or fixed stands in tables of its own; what is known once a
# run has ended (`finished_us`, `log_bytes`), or is done to it later, has a default. `journal` has a row for each commit
# that appended to logs, and `logs` what was moved out of it, a row for some entries of one run; `heads` says what there
# is in `events`, and comes first, so that looking for an entry reads no events.
_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE runs (
  number INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL, run_id TEXT NOT NULL, session_id TEXT NOT NULL,
  state INTEGER NOT NULL, created_us INTEGER NOT NULL, deadline_us INTEGER,
  owner TEXT NOT NULL, claimable INTEGER NOT NULL,
  signals INTEGER NOT NULL, output_sequence INTEGER NOT NULL, waiting TEXT NOT NULL, head BLOB NOT NULL,
  finished_us INTEGER, log_bytes INTEGER NOT NULL DEFAULT 0, first_sequence INTEGER NOT NULL DEFAULT 1,
  outbox INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX runs_by_name ON runs (tenant, run_id);
CREATE INDEX runs_by_tenant ON runs (tenant, created_us);
CREATE INDEX runs_by_state ON runs (tenant, state, created_us);
CREATE INDEX runs_by_session ON runs (tenant, session_id, created_us) WHERE session_id <> '';
CREATE INDEX runs_unfinished_by_session ON runs (tenant, session_id) WHERE session_id <> '' AND state < 4;
CREATE INDEX runs_claimable ON runs (claimable) WHERE claimable = 1;
CREATE INDEX runs_owned ON runs (owner) WHERE owner <> '' AND state < 4;
CREATE INDEX runs_due ON runs (deadline_us) WHERE deadline_us IS NOT NULL AND owner = '' AND state = 1;

CREATE TABLE run_labels (
  tenant TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, created_us INTEGER NOT NULL, number INTEGER NOT NULL,
  PRIMARY KEY (tenant, key, value, created_us, number)
) WITHOUT ROWID;
CREATE INDEX runs_finished ON runs (finished_us, log_bytes) WHERE finished_us IS NOT NULL;
CREATE INDEX runs_to_publish ON runs (number) WHERE outbox <> 0;

CREATE TABLE specs (run INTEGER PRIMARY KEY, summary BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE journal (number INTEGER PRIMARY KEY, heads BLOB NOT NULL, events BLOB NOT NULL);
CREATE TABLE logs (
  run INTEGER NOT NULL, first INTEGER NOT NULL, entry INTEGER NOT NULL, last INTEGER NOT NULL,
  heads BLOB NOT NULL, events BLOB NOT NULL,
  PRIMARY KEY (run, first, entry)
) WITHOUT ROWID;
CREATE TABLE checkpoints (
  run INTEGER NOT NULL, step_id TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (run, step_id)
) WITHOUT ROWID;
CREATE TABLE signals (
  run INTEGER NOT NULL, number INTEGER NOT NULL, signal_id TEXT NOT NULL, taken INTEGER NOT NULL,
  signal BLOB NOT NULL, PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX signals_by_id ON signals (run, signal_id);
CREATE INDEX signals_pending ON signals (run, number) WHERE taken = 0;
CREATE TABLE bases (
  run INTEGER NOT NULL, generation INTEGER NOT NULL, last_common INTEGER NOT NULL, PRIMARY KEY (run, generation)
) WITHOUT ROWID;
CREATE TABLE imported_events (
  tenant TEXT NOT NULL, run_id TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  generation INTEGER NOT NULL, kept_us INTEGER NOT NULL, events BLOB NOT NULL,
  PRIMARY KEY (tenant, run_id, first)
) WITHOUT ROWID;
CREATE INDEX imported_events_by_age ON imported_events (kept_us);
CREATE TABLE leases (
  instance_id TEXT PRIMARY KEY, expire_us INTEGER NOT NULL, ttl_us INTEGER NOT NULL,
  claim_id TEXT NOT NULL, claimed TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE sessions (
  number INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL, session_id TEXT NOT NULL, first_index INTEGER NOT NULL, next_index INTEGER NOT NULL,
  created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, used_us INTEGER NOT NULL
);
CREATE UNIQUE INDEX sessions_by_name ON sessions (tenant, session_id);
CREATE INDEX sessions_by_use ON sessions (used_us);
CREATE TABLE dropped_sessions (session INTEGER PRIMARY KEY);
CREATE TABLE session_versions (
  tenant TEXT NOT NULL, session_id TEXT NOT NULL, version INTEGER NOT NULL, dropped_us INTEGER NOT NULL,
  PRIMARY KEY (tenant, session_id)
) WITHOUT ROWID;
CREATE INDEX session_versions_by_age ON session_versions (dropped_us);
CREATE TABLE session_data (session INTEGER PRIMARY KEY, version INTEGER NOT NULL, data_json TEXT NOT NULL);
CREATE TABLE messages (
  session INTEGER NOT NULL, place INTEGER NOT NULL, message_id TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (session, place)
) WITHOUT ROWID;
CREATE UNIQUE INDEX messages_by_id ON messages (session, message_id);
CREATE TABLE turns (
  session INTEGER NOT NULL, place INTEGER NOT NULL, first INTEGER NOT NULL, run_id TEXT NOT NULL,
  PRIMARY KEY (session, place)
) WITHOUT ROWID;
CREATE INDEX turns_by_run ON turns (session, run_id) WHERE run_id <> '';
CREATE TABLE cut_messages (
  session INTEGER NOT NULL, place INTEGER NOT NULL, message_id TEXT NOT NULL, PRIMARY KEY (session, place)
) WITHOUT ROWID;
CREATE INDEX cut_messages_by_id ON cut_messages (session, message_id);

CREATE TABLE stored_values (
  tenant TEXT NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL, live INTEGER NOT NULL,
  created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, expire_us INTEGER,
  metadata BLOB NOT NULL, data BLOB NOT NULL
);
CREATE UNIQUE INDEX values_by_key ON stored_values (tenant, key);
CREATE INDEX values_expiring ON stored_values (expire_us) WHERE expire_us IS NOT NULL;
CREATE INDEX values_gone ON stored_values (updated_us) WHERE live = 0;

CREATE TABLE buckets (
  tenant TEXT NOT NULL, name TEXT NOT NULL, missing REAL NOT NULL, at_us INTEGER NOT NULL, full_us INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) WITHOUT ROWID;
CREATE INDEX buckets_by_fullness ON buckets (full_us);
CREATE TABLE budgets (
  tenant TEXT NOT NULL, budget TEXT NOT NULL, window_us INTEGER NOT NULL, start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL, held INTEGER NOT NULL,
  PRIMARY KEY (tenant, budget, window_us)
) WITHOUT ROWID;
CREATE INDEX budgets_by_end ON budgets (end_us);
CREATE TABLE reservations (
  tenant TEXT NOT NULL, budget TEXT NOT NULL, reservation_id TEXT NOT NULL, window_us INTEGER NOT NULL,
  start_us INTEGER NOT NULL, size INTEGER NOT NULL, amount INTEGER NOT NULL, state INTEGER NOT NULL,
  expire_us INTEGER NOT NULL, PRIMARY KEY (tenant, budget, reservation_id)
) WITHOUT ROWID;
CREATE INDEX reservations_by_expiry ON reservations (expire_us);
CREATE INDEX reservations_held ON reservations (tenant, budget, expire_us) WHERE state = 1;

CREATE TABLE topics (
  number INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL, topic TEXT NOT NULL, first_position INTEGER NOT NULL, next_position INTEGER NOT NULL,
  oldest_us INTEGER, used_us INTEGER NOT NULL
);
CREATE UNIQUE INDEX topics_by_name ON topics (tenant, topic);
CREATE INDEX topics_by_age ON topics (oldest_us) WHERE oldest_us IS NOT NULL;
CREATE INDEX topics_unused ON topics (used_us) WHERE oldest_us IS NULL;
CREATE INDEX topics_for_replies ON topics (used_us) WHERE topic >= 'reply.' AND topic < 'reply/';
CREATE TABLE topic_events (
  topic INTEGER NOT NULL, position INTEGER NOT NULL, event_key TEXT NOT NULL, time_us INTEGER NOT NULL,
  dead_letter_reason TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (topic, position)
) WITHOUT ROWID;
CREATE UNIQUE INDEX topic_events_by_key ON topic_events (topic, event_key);
CREATE TABLE topic_groups (
  number INTEGER PRIMARY KEY,
  topic INTEGER NOT NULL, name TEXT NOT NULL, next_position INTEGER NOT NULL, seen_us INTEGER NOT NULL
);
CREATE UNIQUE INDEX topic_groups_by_name ON topic_groups (topic, name);
CREATE INDEX topic_groups_by_use ON topic_groups (seen_us);
CREATE TABLE topic_deliveries (
  topic_group INTEGER NOT NULL, position INTEGER NOT NULL, stream TEXT NOT NULL, delivery INTEGER NOT NULL,
  due_us INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (topic_group, position)
) WITHOUT ROWID;
CREATE INDEX topic_deliveries_by_time ON topic_deliveries (topic_group, due_us);
"""


def prepare(connection: sqlite3.Connection, path: Path) -> int:
    """Makes the tables in a new file, and returns the version of what is there.

    Raises ValueError when a newer Penstock, or something else, made the file.
    """
    try:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise ValueError(f"{path} holds something else than a database; choose another file") from error
    if not names:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # or the file could shrink only as a whole
        connection.execute("BEGIN IMMEDIATE")
        make_tables(connection)
        write_meta(connection, "schema_version", VERSION)
        write_meta(connection, "generation", 1)
        connection.execute("COMMIT")
        return VERSION
    if "meta" not in names:
        raise ValueError(f"{path} is a database of something else; choose another file")
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(meta)")]
    found = read_meta(connection, "schema_version") if columns == ["key", "value"] else None
    if not isinstance(found, int) or found < 1:
        raise ValueError(f"{path} is a database of something else; choose another file")
    if found > VERSION:
        raise ValueError(f"{path} has schema version {found}, newer than the {VERSION} known here; update Penstock")
    return found


def make_tables(connection: sqlite3.Connection) -> None:
    """Makes all tables and indexes in an empty database."""
    for statement in _TABLES.split(";"):
        connection.execute(statement)


def read_meta(connection: sqlite3.Connection, key: str) -> int | str | None:
    """Returns one of the store's own marks; None: never set."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def write_meta(connection: sqlite3.Connection, key: str, value: int | str) -> None:
    """Sets one of the store's own marks."""
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
