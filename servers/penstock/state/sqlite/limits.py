"""Shared counters on SQLite."""

from collections.abc import Awaitable
from functools import partial
from typing import Final

from penstock.state.clock import StoreClock
from penstock.state.sqlite.database import Database, Transaction
from penstock.state.sqlite.limit_buckets import forget_full, has_full, take
from penstock.state.sqlite.limit_budgets import forget_past, has_past, release, reserve, settle
from penstock.v1.limit_pb2 import (
    ReleaseRequest,
    ReleaseResponse,
    ReserveRequest,
    ReserveResponse,
    SettleRequest,
    SettleResponse,
    TakeRequest,
    TakeResponse,
)

# Rows that one sweep deletes of each table at most.
_PIECE: Final = 500


class SqliteLimits:
    """Keeps counters."""

    def __init__(self, database: Database, clock: StoreClock) -> None:
        self._database = database
        self._clock = clock

    def take(self, request: TakeRequest) -> Awaitable[TakeResponse]:
        """See LimitStore."""
        return self._database.write(lambda transaction: take(transaction.connection, request, self._clock.now_us()))

    def reserve(self, request: ReserveRequest) -> Awaitable[ReserveResponse]:
        """See LimitStore."""
        return self._database.write(lambda transaction: reserve(transaction.connection, request, self._clock.now_us()))

    def settle(self, request: SettleRequest) -> Awaitable[SettleResponse]:
        """See LimitStore."""
        return self._database.write(lambda transaction: settle(transaction.connection, request, self._clock.now_us()))

    def release(self, request: ReleaseRequest) -> Awaitable[ReleaseResponse]:
        """See LimitStore."""
        return self._database.write(lambda transaction: release(transaction.connection, request, self._clock.now_us()))

    async def sweep(self) -> bool:
        """Forgets a bounded number of counters that say nothing any more; True: there may be more of them."""
        now_us = self._clock.now_us()
        reader = self._database.reader
        if not has_full(reader, now_us) and not has_past(reader, now_us):
            return False  # nothing is written for nothing
        return await self._database.write(partial(_forget, now_us))


def _forget(now_us: int, transaction: Transaction) -> bool:
    buckets = forget_full(transaction.connection, now_us, _PIECE)
    budgets = forget_past(transaction.connection, now_us, _PIECE)
    return max(buckets, budgets) >= _PIECE
