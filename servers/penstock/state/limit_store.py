"""The contract between `LimitService` and whatever keeps its counters, and the rules that every store holds to."""

from collections.abc import Awaitable
from typing import Protocol

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


class LimitStore(Protocol):
    """Keeps token buckets by (tenant, name), and budgets by (tenant, budget, length of the window).

    Each call is one atomic step on the store's clock. Requests are well formed: rates, bursts and amounts are finite,
    names within a request differ, whole numbers are at most 2^53.

    A bucket is `missing` tokens at a time; it fills by `rate` a second, and one that is full need not be kept. How that
    is reckoned is in `token_bucket`, to be followed number by number.

    A window of a budget begins at each multiple of its length. Used and reserved units count in the window in which
    they were reserved, never in a later one. A reservation is held until it is settled or released, or its ttl has
    passed; it is then given back. What became of it is remembered until its ttl has passed, and for a minute at least.
    """

    def take(self, request: TakeRequest) -> Awaitable[TakeResponse]:
        """Takes tokens of all the buckets, or changes nothing.

        Denied, `limit_name` is the bucket that takes longest (of several, the first), and `retry_after` the exact time
        after which the same request would be granted if nobody else took any; unset when an amount is over its burst.
        """

    def reserve(self, request: ReserveRequest) -> Awaitable[ReserveResponse]:
        """Sets units aside if used + reserved + amount <= limit; a known reservation is granted again as it stands.

        Denied, `retry_after` is the time to the window's end; unset when the amount is over the limit.
        """

    def settle(self, request: SettleRequest) -> Awaitable[SettleResponse]:
        """Turns a held reservation into used units; `applied` also for a repeat, which changes nothing.

        `remaining` is what the window that goes on now has left by the limit named last; 0 for an unknown reservation.
        """

    def release(self, request: ReleaseRequest) -> Awaitable[ReleaseResponse]:
        """Gives a held reservation back; `applied` also for a repeat, but not once it was settled."""
