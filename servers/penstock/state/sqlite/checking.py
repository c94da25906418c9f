"""Looking a file over for damage: whether it is whole, and whether its rows agree with one another."""

import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from penstock.state.log.head import is_terminal
from penstock.state.sqlite.log_rows import entries_from
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import ReadEventsResponse, RunRecord
from penstock.v1.state_admin_pb2 import CheckStoreResponse, StoreProblem

# Of each kind so many are named.
_MOST_NAMED: Final = 100
# Runs that are looked at in one transaction: a reader who stays longer keeps the -wal file from being cut off.
_RUNS: Final = 100

_MEND_FILE: Final = (
    "stop penstockd, keep a copy of the file with its -wal, and go back to a backup, or export what can still be read "
    "and import it into a new store"
)
_MEND_RUN: Final = (
    "export the store, and import it into a new one: what can't be read is left out, and named in penstockd's log"
)
_MEND_INDEX: Final = "stop penstockd and run REINDEX on the file"


class _Orphans(NamedTuple):
    """Names rows that belong to others by a number, and a query for those whose owner is not there."""

    rows: str
    owner: str
    query: str


def _without(table: str, column: str, owner: str) -> str:
    there = f"SELECT 1 FROM {owner} WHERE number = {table}.{column}"
    return f"SELECT DISTINCT {column} FROM {table} WHERE NOT EXISTS ({there}) LIMIT ?"


_ORPHANS: Final = (
    *(
        _Orphans(table, "run", _without(table, "run", "runs"))
        for table in ("specs", "logs", "checkpoints", "signals", "bases")
    ),
    _Orphans("session_data", "session", _without("session_data", "session", "sessions")),
    # Those of sessions that were dropped are cleared away by and by.
    *(
        _Orphans(
            table,
            "session",
            f"SELECT DISTINCT session FROM {table} WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE number = session) "
            "AND NOT EXISTS (SELECT 1 FROM dropped_sessions AS gone WHERE gone.session = "
            f"{table}.session) LIMIT ?",
        )
        for table in ("messages", "turns", "cut_messages")
    ),
    _Orphans("topic_events", "topic", _without("topic_events", "topic", "topics")),
    _Orphans("topic_groups", "topic", _without("topic_groups", "topic", "topics")),
    _Orphans("topic_deliveries", "group", _without("topic_deliveries", "topic_group", "topic_groups")),
)


def look_over(connection: sqlite3.Connection) -> Iterator[CheckStoreResponse]:
    """Looks at everything, and yields what is wrong and how far it has come."""
    seen = 0
    looking_at = "the file"
    for look in (_tables, _owners, _sessions, _topics, _runs):
        try:
            for looking_at, count, problems in look(connection):
                seen += count
                yield CheckStoreResponse(problems=problems, looking_at=looking_at, looked_at=seen)
        except sqlite3.DatabaseError as error:
            text = f"after looking at {looking_at}: {error}"
            yield CheckStoreResponse(problems=[StoreProblem(kind="FILE_DAMAGED", detail=text, remedy=_MEND_FILE)])
    yield CheckStoreResponse(looked_at=seen, complete=True)


_Looked = tuple[str, int, Sequence[StoreProblem]]


def _tables(connection: sqlite3.Connection) -> Iterator[_Looked]:
    """Has SQLite look at each table with its indexes."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in names:
        yield f"table {name}", 0, []
        problems: list[StoreProblem] = []
        try:
            for (text,) in connection.execute(f"PRAGMA integrity_check('{name}')").fetchall():
                if text != "ok":
                    in_index = "missing from index" in text or "wrong # of entries in index" in text
                    remedy = _MEND_INDEX if in_index else _MEND_FILE
                    kind = "INDEX_DAMAGED" if in_index else "FILE_DAMAGED"
                    problems.append(StoreProblem(kind=kind, detail=f"table {name}: {text}", remedy=remedy))
            (count,) = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
        except sqlite3.DatabaseError as error:
            problems.append(StoreProblem(kind="FILE_DAMAGED", detail=f"table {name}: {error}", remedy=_MEND_FILE))
            count = 0
        yield f"table {name}", count, problems[:_MOST_NAMED]


def _owners(connection: sqlite3.Connection) -> Iterator[_Looked]:
    """Looks for rows that belong to nothing."""
    for orphans in _ORPHANS:
        problems = [
            StoreProblem(
                kind="ROWS_WITHOUT_OWNER",
                detail=f"{orphans.rows}: there is no {orphans.owner} {number}",
                remedy="they only take room; export and import into a new store leaves them behind",
            )
            for (number,) in connection.execute(orphans.query, (_MOST_NAMED,))
        ]
        yield f"owners of {orphans.rows}", 0, problems


def _sessions(connection: sqlite3.Connection) -> Iterator[_Looked]:
    """Looks whether each session has the messages that it counts."""
    rows = connection.execute(
        "SELECT tenant, session_id, first_index, next_index, (SELECT count(*) FROM messages "
        "WHERE session = number AND place >= first_index AND place < next_index) AS there, "
        "(SELECT max(place) FROM messages WHERE session = number) AS newest FROM sessions "
        "WHERE there <> next_index - first_index OR newest >= next_index LIMIT ?",
        (_MOST_NAMED,),
    )
    problems = [
        StoreProblem(
            kind="MESSAGES_MISSING",
            detail=f"session {session_id} of tenant {tenant} counts messages {first} to {following - 1}, "
            f"of which {there} are there" + (f", and one at {newest}" if newest is not None else ""),
            remedy=f"read what is left with the session's messages, then delete session {session_id}",
        )
        for tenant, session_id, first, following, there, newest in rows
    ]
    yield "sessions", 0, problems


def _topics(connection: sqlite3.Connection) -> Iterator[_Looked]:
    """Looks whether each topic has the events that it counts."""
    rows = connection.execute(
        "SELECT tenant, topics.topic, first_position, next_position, "
        "(SELECT count(*) FROM topic_events WHERE topic_events.topic = number AND position >= first_position) AS there "
        "FROM topics WHERE there <> next_position - first_position LIMIT ?",
        (_MOST_NAMED,),
    )
    problems = [
        StoreProblem(
            kind="EVENTS_MISSING",
            detail=f"topic {topic} of tenant {tenant} counts events {first} to {following - 1}, of which {there} are "
            "there",
            remedy="none is needed: groups pass over what is not kept",
        )
        for tenant, topic, first, following, there in rows
    ]
    yield "topics", 0, problems


def _runs(connection: sqlite3.Connection) -> Iterator[_Looked]:
    """Looks whether heads and logs agree."""
    after = named = 0
    while True:
        with _snapshot(connection):
            rows = connection.execute(
                "SELECT number, tenant, run_id, state, first_sequence, head FROM runs WHERE number > ? "
                "ORDER BY number LIMIT ?",
                (after, _RUNS),
            ).fetchall()
            problems = [
                StoreProblem(kind=kind, detail=f"run {run_id} of tenant {tenant}: {detail}", remedy=_MEND_RUN)
                for number, tenant, run_id, *head in rows
                for kind, detail in _of_run(connection, number, *head)
            ]
        yield "runs and their logs", 0, problems[: max(0, _MOST_NAMED - named)]
        named += len(problems)
        if len(rows) < _RUNS:
            return
        after = rows[-1][0]


def _of_run(
    connection: sqlite3.Connection, number: int, state: int, first: int, head: bytes
) -> Iterator[tuple[str, str]]:
    """Yields what is wrong with a run; the newest entries of its log may still be in the journal."""
    try:
        record = RunRecord.FromString(head)
    except DecodeError:
        yield "HEAD_DAMAGED", "its head can't be read"
        return
    if record.run.state != state:
        yield "INDEX_DAMAGED", f"it is listed with state {state}, and its head says {record.run.state}"
    if connection.execute("SELECT 1 FROM specs WHERE run = ?", (number,)).fetchone() is None:
        yield "SPEC_MISSING", "what was asked for is missing"
    expected = first
    events: Sequence[RunEvent] = []
    try:
        with closing(entries_from(connection, number, 0)) as entries:
            for entry in entries:
                # What is trimmed leaves a gap between the event with the output and the last entry.
                if entry.first != expected and not (is_terminal(state) and first > 1):
                    yield "LOG_GAP", f"event {expected} is missing from its log, which goes on at {entry.first}"
                expected = max(expected, entry.last + 1)
                events = ReadEventsResponse.FromString(entry.events).events
                if [event.sequence for event in events] != list(range(entry.first, entry.last + 1)):
                    yield "LOG_DAMAGED", f"its entry with events {entry.first} to {entry.last} has others"
    except (DecodeError, sqlite3.DatabaseError, struct.error, ValueError, IndexError) as error:
        yield "LOG_DAMAGED", f"its log can't be read: {type(error).__name__}"
        return
    ended = bool(events) and events[-1].HasField("run_finished")
    if ended and not is_terminal(state):
        yield "HEAD_BEHIND_LOG", "its log has an end, and its head says that it goes on"
    step_sequences = [step.finished_sequence for step in record.steps] + [
        step.started_sequence for step in record.steps
    ]
    if is_terminal(state) and not ended:
        yield "LOG_SHORT", "it has ended, and its log has no end"
    elif is_terminal(state) and max(step_sequences, default=0) >= expected:
        yield "LOG_SHORT", f"its head speaks of event {max(step_sequences)}, and its log ends at {expected - 1}"


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")
