"""`LimitService`: rates and budgets that all replicas share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from penstock.state.limit_store import LimitStore
from penstock.state.violations import Violations
from penstock.v1 import limit_pb2 as pb
from penstock.v1.limit_pb2_grpc import LimitServiceServicer

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]

_MOST_TOKENS: Final = 1e12
_MOST_UNITS: Final = 2**53
_MOST_NAME_BYTES: Final = 256
_MOST_LIMITS: Final = 16
_DAY: Final = 86400.0
_TEN_YEARS: Final = 3652.5 * _DAY


class LimitsService(LimitServiceServicer):
    """Serves counters from a store."""

    def __init__(self, store: LimitStore) -> None:
        self._store = store

    async def Take(self, request: pb.TakeRequest, context: Context) -> pb.TakeResponse:
        violations = Violations()
        violations.id("tenant", request.tenant)
        violations.count("limits", len(request.limits), _MOST_LIMITS, least=1)
        names: set[str] = set()
        for position, limit in enumerate(request.limits[:_MOST_LIMITS]):
            _check_rate_limit(violations, f"limits[{position}]", limit)
            if limit.name in names:
                violations.add(f"limits[{position}].name", "stands twice; ask for the sum in one")
            names.add(limit.name)
        violations.raise_any()
        return await self._store.take(request)

    async def Reserve(self, request: pb.ReserveRequest, context: Context) -> pb.ReserveResponse:
        violations = _named(request)
        _check_units(violations, "amount", request.amount, least=1)
        _check_units(violations, "limit", request.limit)
        violations.duration("window", request.window, 1, 366 * _DAY)
        violations.duration("ttl", request.ttl, 1, 31 * _DAY)
        violations.raise_any()
        return await self._store.reserve(request)

    async def Settle(self, request: pb.SettleRequest, context: Context) -> pb.SettleResponse:
        violations = _named(request)
        _check_units(violations, "amount", request.amount)
        violations.raise_any()
        return await self._store.settle(request)

    async def Release(self, request: pb.ReleaseRequest, context: Context) -> pb.ReleaseResponse:
        _named(request).raise_any()
        return await self._store.release(request)


def _check_rate_limit(violations: Violations, where: str, limit: pb.RateLimit) -> None:
    _check_name(violations, f"{where}.name", limit.name)
    # What is not a number fails every comparison.
    if not 0 < limit.rate <= _MOST_TOKENS:
        violations.add(f"{where}.rate", f"is {limit.rate:g}; must be more than 0, at most {_MOST_TOKENS:g}")
    elif not 0 <= limit.burst <= _MOST_TOKENS:
        violations.add(f"{where}.burst", f"is {limit.burst:g}; must be 0 to {_MOST_TOKENS:g}")
    elif limit.burst / limit.rate > _TEN_YEARS:
        violations.add(f"{where}.burst", "takes more than ten years to fill at this rate; lower it, or raise the rate")
    if not 0 < limit.amount < math.inf:
        violations.add(f"{where}.amount", f"is {limit.amount:g}; must be more than 0, and finite")


def _named(request: pb.ReserveRequest | pb.SettleRequest | pb.ReleaseRequest) -> Violations:
    violations = Violations()
    violations.id("tenant", request.tenant)
    _check_name(violations, "budget", request.budget)
    _check_name(violations, "reservation_id", request.reservation_id)
    return violations


def _check_name(violations: Violations, field: str, name: str) -> None:
    if not 1 <= len(name.encode()) <= _MOST_NAME_BYTES or "\0" in name:
        violations.add(field, f"must be 1 to {_MOST_NAME_BYTES} bytes without NUL")


def _check_units(violations: Violations, field: str, units: int, *, least: int = 0) -> None:
    if not least <= units <= _MOST_UNITS:
        violations.add(field, f"is {units}; must be {least} to {_MOST_UNITS}")
