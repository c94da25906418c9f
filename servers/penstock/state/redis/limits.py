"""Shared counters on Redis."""

from collections.abc import Awaitable

from penstock.state.redis.limits_buckets import take
from penstock.state.redis.limits_budgets import release, reserve, settle
from penstock.state.redis.link import Link
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


class RedisLimits:
    """Keeps counters on the clock of the server that has them; what says nothing any more, Redis itself forgets."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def take(self, request: TakeRequest) -> Awaitable[TakeResponse]:
        """See LimitStore."""
        return take(self._link, request)

    def reserve(self, request: ReserveRequest) -> Awaitable[ReserveResponse]:
        """See LimitStore."""
        return reserve(self._link, request)

    def settle(self, request: SettleRequest) -> Awaitable[SettleResponse]:
        """See LimitStore."""
        return settle(self._link, request)

    def release(self, request: ReleaseRequest) -> Awaitable[ReleaseResponse]:
        """See LimitStore."""
        return release(self._link, request)
