"""Telling a machine that lost its power from a process that died, and what follows for the run logs."""

import logging
import sqlite3
import time
from pathlib import Path
from typing import Final

from penstock.state.sqlite.schema import read_meta, write_meta
from penstock.v1.run_log_pb2 import RunRecord

_LOGGER: Final = logging.getLogger(__name__)
_LINUX_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def system_boot_id() -> str:
    """Names this boot of the machine."""
    if _LINUX_BOOT_ID.exists():
        return _LINUX_BOOT_ID.read_text().strip()
    # To the minute, because the two clocks are not read at the same moment.
    return f"booted-{round((time.time() - time.monotonic()) / 60)}"


def enter(connection: sqlite3.Connection, boot_id: str, synchronous: str) -> int:
    """Marks the store as in use and returns its generation, raised if acknowledged events may have been lost.

    Runs that had ended keep theirs: commits are lost from the end, so whatever stands there is whole.
    """
    generation = read_meta(connection, "generation")
    if not isinstance(generation, int):
        raise ValueError("the store has no generation; its file is damaged")
    connection.execute("BEGIN IMMEDIATE")
    if (
        read_meta(connection, "in_use") == 1
        and read_meta(connection, "boot_id") != boot_id
        and read_meta(connection, "synchronous") != "full"
    ):
        generation += 1
        _renew(connection, generation)
    write_meta(connection, "generation", generation)
    write_meta(connection, "in_use", 1)
    write_meta(connection, "boot_id", boot_id)
    write_meta(connection, "synchronous", synchronous)
    connection.execute("COMMIT")
    sync(connection)  # lost with the power, the marks could not tell of what was lost with them
    return generation


def leave(connection: sqlite3.Connection) -> None:
    """Marks the store, once it is synced, as shut down cleanly: no later change of the boot id means a loss."""
    try:
        if sync(connection):
            write_meta(connection, "in_use", 0)
    except sqlite3.OperationalError as error:
        _LOGGER.warning("the store could not be marked as shut down cleanly: %s", error)


def sync(connection: sqlite3.Connection) -> bool:
    """Puts what is committed on the disk; False: someone who reads the file was in the way."""
    # Below FULL a commit is not synced, but moving what is committed from the -wal into the file is.
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _renew(connection: sqlite3.Connection, generation: int) -> None:
    unfinished = connection.execute(
        "SELECT number, head, coalesce((SELECT max(last) FROM logs WHERE run = number), 0) FROM runs WHERE state < 4"
    ).fetchall()
    for number, head, last in unfinished:
        record = RunRecord.FromString(head)
        record.run.generation = generation
        connection.execute("UPDATE runs SET head = ? WHERE number = ?", (record.SerializeToString(), number))
        connection.execute("INSERT INTO bases VALUES (?, ?, ?)", (number, generation, last))
