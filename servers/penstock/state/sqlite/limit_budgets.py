"""Rows of budgets and of what is reserved of them."""

import sqlite3
from enum import IntEnum
from typing import Final, NamedTuple

from google.protobuf.duration_pb2 import Duration

from penstock.v1.limit_pb2 import (
    ReleaseRequest,
    ReleaseResponse,
    ReserveRequest,
    ReserveResponse,
    SettleRequest,
    SettleResponse,
)

# What became of a reservation is remembered for that long at least, so that a repeat gets the first answer.
_REMEMBERED_US: Final = 60_000_000
# Sums stay below what SQLite counts exactly, however much is settled.
_MOST_USED: Final = 2**62


class _State(IntEnum):
    """Says what became of a reservation."""

    HELD = 1
    SETTLED = 2
    RELEASED = 3


class _Window(NamedTuple):
    """Represents the window of a budget that goes on now."""

    start_us: int
    size: int
    used: int
    held: int

    @property
    def remaining(self) -> int:
        return max(0, self.size - self.used - self.held)


class _Reservation(NamedTuple):
    """Represents a reservation and its window."""

    window_us: int
    start_us: int
    size: int
    amount: int
    state: _State


def reserve(connection: sqlite3.Connection, request: ReserveRequest, now_us: int) -> ReserveResponse:
    """Sets units aside; see LimitStore."""
    name = (request.tenant, request.budget)
    window_us = request.window.ToMicroseconds()
    window = _window(connection, name, window_us, request.limit, now_us)._replace(size=request.limit)
    if _reservation(connection, name, request.reservation_id, now_us) is not None:
        return ReserveResponse(granted=True, remaining=window.remaining)
    if request.amount > request.limit:
        return ReserveResponse(granted=False, remaining=window.remaining)
    if request.amount > window.remaining:
        retry_after = Duration()
        retry_after.FromMicroseconds(window.start_us + window_us - now_us)
        return ReserveResponse(granted=False, remaining=window.remaining, retry_after=retry_after)
    connection.execute(
        "INSERT OR REPLACE INTO reservations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *name,
            request.reservation_id,
            window_us,
            window.start_us,
            request.limit,
            request.amount,
            _State.HELD,
            now_us + request.ttl.ToMicroseconds(),
        ),
    )
    window = _change(connection, name, window_us, window._replace(held=window.held + request.amount))
    return ReserveResponse(granted=True, remaining=window.remaining)


def settle(connection: sqlite3.Connection, request: SettleRequest, now_us: int) -> SettleResponse:
    """Turns a held reservation into used units; see LimitStore."""
    name = (request.tenant, request.budget)
    found = _reservation(connection, name, request.reservation_id, now_us)
    if found is None:
        return SettleResponse(applied=False)
    window = _window(connection, name, found.window_us, found.size, now_us)
    if found.state is not _State.HELD:
        return SettleResponse(applied=found.state is _State.SETTLED, remaining=window.remaining)
    _end(connection, name, request.reservation_id, _State.SETTLED, now_us)
    if found.start_us == window.start_us:
        used = min(window.used + request.amount, _MOST_USED)
        window = _change(connection, name, found.window_us, window._replace(used=used, held=window.held - found.amount))
    return SettleResponse(applied=True, remaining=window.remaining)


def release(connection: sqlite3.Connection, request: ReleaseRequest, now_us: int) -> ReleaseResponse:
    """Gives a held reservation back; see LimitStore."""
    name = (request.tenant, request.budget)
    found = _reservation(connection, name, request.reservation_id, now_us)
    if found is None or found.state is not _State.HELD:
        return ReleaseResponse(applied=found is not None and found.state is _State.RELEASED)
    window = _window(connection, name, found.window_us, found.size, now_us)
    _end(connection, name, request.reservation_id, _State.RELEASED, now_us)
    if found.start_us == window.start_us:
        _change(connection, name, found.window_us, window._replace(held=window.held - found.amount))
    return ReleaseResponse(applied=True)


def has_past(connection: sqlite3.Connection, now_us: int) -> bool:
    """Tells whether there are reservations or windows whose time has passed."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM reservations WHERE expire_us <= ?) "
        "OR EXISTS (SELECT 1 FROM budgets WHERE end_us <= ?)",
        (now_us, now_us),
    ).fetchone()
    return bool(row[0])


def forget_past(connection: sqlite3.Connection, now_us: int, most: int) -> int:
    """Gives forgotten reservations back, and forgets what is past, at most so many of each; returns how many."""
    past = connection.execute(
        "SELECT tenant, budget, reservation_id, window_us, start_us, amount, state FROM reservations "
        "WHERE expire_us <= ? LIMIT ?",
        (now_us, most),
    ).fetchall()
    for tenant, budget, reservation_id, window_us, start_us, amount, state in past:
        if state == _State.HELD:
            _give_back(connection, (tenant, budget), window_us, start_us, amount)
        connection.execute(
            "DELETE FROM reservations WHERE tenant = ? AND budget = ? AND reservation_id = ?",
            (tenant, budget, reservation_id),
        )
    windows = connection.execute(
        "DELETE FROM budgets WHERE (tenant, budget, window_us) IN "
        "(SELECT tenant, budget, window_us FROM budgets WHERE end_us <= ? LIMIT ?)",
        (now_us, most),
    )
    return max(len(past), windows.rowcount)


def _window(connection: sqlite3.Connection, name: tuple[str, str], window_us: int, size: int, now_us: int) -> _Window:
    """Returns the window that goes on now, after giving back what was forgotten; `size` is for want of a row of it."""
    expired = connection.execute(
        "SELECT reservation_id, window_us, start_us, amount FROM reservations "
        "WHERE tenant = ? AND budget = ? AND state = 1 AND expire_us <= ?",
        (*name, now_us),
    ).fetchall()
    for reservation_id, of_window_us, start_us, amount in expired:
        _give_back(connection, name, of_window_us, start_us, amount)
        connection.execute(
            "DELETE FROM reservations WHERE tenant = ? AND budget = ? AND reservation_id = ?", (*name, reservation_id)
        )
    row = connection.execute(
        "SELECT start_us, size, used, held FROM budgets WHERE tenant = ? AND budget = ? AND window_us = ?",
        (*name, window_us),
    ).fetchone()
    start_us = now_us - now_us % window_us
    if row is None or row[0] < start_us:
        return _Window(start_us, size if row is None else row[1], 0, 0)
    return _Window(*row)


def _change(connection: sqlite3.Connection, name: tuple[str, str], window_us: int, window: _Window) -> _Window:
    connection.execute(
        "INSERT OR REPLACE INTO budgets VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*name, window_us, window.start_us, window.start_us + window_us, window.size, window.used, window.held),
    )
    return window


def _give_back(connection: sqlite3.Connection, name: tuple[str, str], window_us: int, start_us: int, held: int) -> None:
    connection.execute(
        "UPDATE budgets SET held = held - ? WHERE tenant = ? AND budget = ? AND window_us = ? AND start_us = ?",
        (held, *name, window_us, start_us),
    )


def _reservation(
    connection: sqlite3.Connection, name: tuple[str, str], reservation_id: str, now_us: int
) -> _Reservation | None:
    row = connection.execute(
        "SELECT window_us, start_us, size, amount, state FROM reservations "
        "WHERE tenant = ? AND budget = ? AND reservation_id = ? AND expire_us > ?",
        (*name, reservation_id, now_us),
    ).fetchone()
    return None if row is None else _Reservation(row[0], row[1], row[2], row[3], _State(row[4]))


def _end(
    connection: sqlite3.Connection, name: tuple[str, str], reservation_id: str, state: _State, now_us: int
) -> None:
    connection.execute(
        "UPDATE reservations SET state = ?, expire_us = max(expire_us, ?) "
        "WHERE tenant = ? AND budget = ? AND reservation_id = ?",
        (state, now_us + _REMEMBERED_US, *name, reservation_id),
    )
