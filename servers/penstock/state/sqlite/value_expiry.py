"""What time takes from values: the data of those that have expired, and later the versions of those that are gone."""

from functools import partial
from typing import Final

from penstock.state.clock import LARGEST_STEP_US, StoreClock
from penstock.state.sqlite.database import Database, Transaction

# What one piece takes at most, so that nobody waits for it long: rows, and bytes of data.
_ROWS: Final = 200
_BYTES: Final = 4 * 1024 * 1024

_EXPIRED: Final = (
    "SELECT rowid, length(data), expire_us FROM stored_values WHERE expire_us <= ? AND expire_us IS NOT NULL "
    "ORDER BY expire_us LIMIT ?"
)
_OLD: Final = "SELECT rowid FROM stored_values WHERE live = 0 AND updated_us < ? ORDER BY updated_us LIMIT ?"


class ValueExpiry:
    """Sweeps values: a bounded piece each time."""

    def __init__(self, database: Database, clock: StoreClock) -> None:
        self._database = database
        self._clock = clock

    async def sweep(self) -> bool:
        """Does a piece; True: there is more."""
        now_us = self._clock.now_us()
        old_us = now_us - LARGEST_STEP_US
        reader = self._database.reader
        more = False
        if reader.execute(_EXPIRED, (now_us, 1)).fetchone():
            more |= await self._database.write(partial(_bury, now_us))
        if reader.execute(_OLD, (old_us, 1)).fetchone():
            more |= await self._database.write(partial(_forget, old_us))
        return more


def _bury(now_us: int, transaction: Transaction) -> bool:
    connection = transaction.connection
    rows = connection.execute(_EXPIRED, (now_us, _ROWS)).fetchall()
    size = 0
    for buried, (number, length, expire_us) in enumerate(rows):
        if size > _BYTES:
            return buried < len(rows)
        size += length
        # The version stays: whatever comes next under this key gets a greater one.
        connection.execute(
            "UPDATE stored_values SET live = 0, updated_us = ?, expire_us = NULL, metadata = x'', data = x'' "
            "WHERE rowid = ?",
            (expire_us, number),
        )
    return len(rows) == _ROWS


def _forget(old_us: int, transaction: Transaction) -> bool:
    rows = transaction.connection.execute(_OLD, (old_us, _ROWS)).fetchall()
    transaction.connection.executemany("DELETE FROM stored_values WHERE rowid = ?", rows)
    return len(rows) == _ROWS
