"""What rows of version 1 imply, written down where version 2 looks for it."""

import sqlite3
from contextlib import closing

from penstock.state.sqlite.run_search import note_labels
from penstock.state.sqlite.turns import note_turn
from penstock.v1.run_log_pb2 import RunRecord
from penstock.v1.session_pb2 import SessionMessage


def derive_turns(connection: sqlite3.Connection) -> None:
    """Notes where the turns of all conversations begin; to be called when the table `turns` is made."""
    with closing(connection.execute("SELECT session, body FROM messages ORDER BY session, place")) as rows:
        for session, body in rows:
            note_turn(connection, session, 0, SessionMessage.FromString(body))


def derive_labels(connection: sqlite3.Connection) -> None:
    """Has all runs found by their labels; to be called when the table `run_labels` is made."""
    query = "SELECT number, tenant, created_us, summary FROM runs JOIN specs ON specs.run = number"
    with closing(connection.execute(query)) as rows:
        for number, tenant, created_us, summary in rows:
            note_labels(connection, tenant, number, created_us, RunRecord.FromString(summary).run.labels)
