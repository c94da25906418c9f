"""Removing a run with all that belongs to it."""

import sqlite3
from typing import Final

from penstock.state.sqlite.schema import LAST_REMOVED, read_meta, write_meta
from penstock.v1.run_log_pb2 import RunRecord

_OF_A_RUN: Final = ("specs", "logs", "checkpoints", "signals", "bases")


def remove_run(connection: sqlite3.Connection, number: int) -> None:
    """Removes a run that has ended, and of which nothing is in the journal."""
    query = "SELECT tenant, created_us, summary FROM runs JOIN specs ON run = number WHERE number = ?"
    tenant, created_us, summary = connection.execute(query, (number,)).fetchone()
    for key, value in RunRecord.FromString(summary).run.labels.items():
        connection.execute(
            "DELETE FROM run_labels WHERE tenant = ? AND key = ? AND value = ? AND created_us = ? AND number = ?",
            (tenant, key, value, created_us, number),
        )
    for table in _OF_A_RUN:
        connection.execute(f"DELETE FROM {table} WHERE run = ?", (number,))
    if number > int(read_meta(connection, LAST_REMOVED) or 0):
        write_meta(connection, LAST_REMOVED, number)
    connection.execute("DELETE FROM runs WHERE number = ?", (number,))
