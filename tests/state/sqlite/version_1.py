"""Makes a store's file as version 1 left it."""

import sqlite3
from pathlib import Path

from penstock.v1 import run_event_pb2 as ev
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import ReadEventsResponse, RunRecord, StepRecord
from penstock.v1.run_pb2 import Content, Run, RunSpec, RunState
from penstock.v1.session_pb2 import MessageRole, SessionMessage
from tests.state import entries as e

FINISHED_US = 1_700_000_009_000_000
CREATED_US = 1_700_000_000_000_000

_TABLES = """
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


def make_version_1(path: Path, boot_id: str) -> None:
    """Makes a file with a run that has ended, one that goes on, a session and a value, shut down cleanly."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(_TABLES)
    marks = {"schema_version": 1, "generation": 3, "in_use": 0, "boot_id": boot_id, "synchronous": "normal"}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", marks.items())
    _add_run(connection, 1, "ended", [[e.started(), e.step_started()], *_tokens(400), _end()])
    _add_run(connection, 2, "going-on", [[e.started(), e.step_started()], *_tokens(3)])
    connection.execute("INSERT INTO leases VALUES (?, ?, ?, '', '')", (e.OWNER, CREATED_US, 60_000_000))
    connection.execute("INSERT INTO sessions VALUES (1, ?, 'talk', 0, 2, ?, ?)", (e.TENANT, CREATED_US, FINISHED_US))
    connection.execute("""INSERT INTO session_data VALUES (1, 7, '{"mood": "fine"}')""")
    for place, run_id in enumerate(("ended", "going-on")):
        message = SessionMessage(
            message_id=f"{run_id}:user",
            index=place,
            role=MessageRole.MESSAGE_ROLE_USER,
            run_id=run_id,
            content=[Content(text="do it")],
        )
        connection.execute(
            "INSERT INTO messages VALUES (1, ?, ?, ?)", (place, message.message_id, message.SerializeToString())
        )
    connection.execute(
        "INSERT INTO stored_values VALUES (?, ?, 5, 1, ?, ?, NULL, x'', ?)",
        (e.TENANT, b"key", CREATED_US, CREATED_US, b"data"),
    )
    connection.commit()
    connection.close()


def _tokens(entries: int) -> list[list[RunEvent]]:
    return [[e.token(f"token {number}")] for number in range(entries)]


def _end() -> list[RunEvent]:
    return [e.step_finished(output="the answer"), e.run_finished(output_step="main")]


def _add_run(connection: sqlite3.Connection, number: int, run_id: str, log: list[list[RunEvent]]) -> None:
    sequence = log_bytes = 0
    for entry, events in enumerate(log, 1):
        first = sequence + 1
        stamped = ReadEventsResponse(events=events)
        for event in stamped.events:
            sequence += 1
            event.sequence = sequence
            event.time.FromMicroseconds(CREATED_US + sequence)
        packed = stamped.SerializeToString()
        log_bytes += len(packed)
        connection.execute(
            "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, 'writer', ?, ?, ?)",
            (number, first, entry, sequence, not events[0].HasField("token"), entry, log_bytes, packed),
        )
    ended = log[-1][-1].HasField("run_finished")
    head = RunRecord(
        owner_instance_id=e.OWNER,
        epoch=1,
        run=Run(state=RunState.RUN_STATE_SUCCEEDED if ended else RunState.RUN_STATE_RUNNING, generation=3),
        steps=[StepRecord(step_id="main", attempt=1, open=not ended, started_sequence=2)],
    )
    if ended:
        head.run.finish_time.FromMicroseconds(FINISHED_US)
        head.steps[0].outcome = ev.StepOutcome.STEP_OUTCOME_SUCCEEDED
        head.steps[0].finished_sequence = sequence - 1
    connection.execute(
        "INSERT INTO runs VALUES (?, ?, ?, 'talk', ?, ?, NULL, ?, 0, 0, ?, '', ?)",
        (
            number,
            e.TENANT,
            run_id,
            head.run.state,
            CREATED_US,
            e.OWNER,
            sequence - 1 if ended else 0,
            head.SerializeToString(),
        ),
    )
    summary = Run(run_id=run_id, session_id="talk", labels={"colour": run_id})
    summary.create_time.FromMicroseconds(CREATED_US)
    spec = RunSpec(agent="echo", session_id="talk", labels={"colour": run_id})
    body = RunRecord(tenant=e.TENANT, run=Run(plan=e.PLAN, input=[Content(text="do it")]), spec=spec)
    connection.execute(
        "INSERT INTO specs VALUES (?, ?, ?)",
        (number, RunRecord(run=summary).SerializeToString(), body.SerializeToString()),
    )
