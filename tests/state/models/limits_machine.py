"""Buckets and budgets against counters, over a time so short that nothing refills."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import rule

from penstock.v1 import limit_pb2 as pb
from tests.state.entries import seconds
from tests.state.models.choices import REPLICA
from tests.state.models.machine import StoreMachine
from tests.state.models.served import Served

_DAY = 86400.0
_YEAR = 366 * _DAY
# So slow that no whole token comes back while the machine runs.
_RATE = 1e-6
_BURST = 10
_LIMIT = 20
_tenants = count()

NAME = st.sampled_from(["a", "b", "{a}", "a:b", "é" * 128])
AMOUNT = st.integers(1, 8)


@dataclass
class Budget:
    """Represents what was set aside of a budget, and what became of each reservation."""

    used: dict[str, int] = field(default_factory=dict)
    fate: dict[str, str] = field(default_factory=dict)

    @property
    def remaining(self) -> int:
        """Units that are left; what was really used may be more than there was."""
        return max(_LIMIT - sum(self.used.values()), 0)


class LimitsMachine(StoreMachine):
    """Takes tokens, and reserves, settles and releases parts of budgets, for two tenants."""

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        number = next(_tenants)
        self.tenants = (f"t{number}", f"t{number}:a")
        self.tokens: dict[tuple[str, str], int] = {}
        self.budgets: dict[tuple[str, str], Budget] = {}

    @rule(at=REPLICA, who=REPLICA, wanted=st.dictionaries(NAME, st.integers(1, 12), min_size=1, max_size=3))
    def take(self, at: int, who: int, wanted: dict[str, int]) -> None:
        """Takes tokens of several buckets, all or none."""
        tenant = self.tenants[who]
        limits = [pb.RateLimit(name=name, rate=_RATE, burst=_BURST, amount=amount) for name, amount in wanted.items()]
        answer = self.served.ask(lambda house: house.limits.Take(pb.TakeRequest(tenant=tenant, limits=limits)), at)
        left = {name: self.tokens.get((tenant, name), _BURST) for name in wanted}
        short = {name: amount - left[name] for name, amount in wanted.items() if amount > left[name]}
        assert answer.granted == (not short)
        if not short:
            self.tokens.update({(tenant, name): left[name] - amount for name, amount in wanted.items()})
            return
        never = {name for name in short if wanted[name] > _BURST}
        assert answer.HasField("retry_after") == (not never)
        assert answer.limit_name in (never or {name for name in short if short[name] == max(short.values())})
        if not never:
            exact = max(short.values()) / _RATE
            assert 0 <= exact - answer.retry_after.ToTimedelta().total_seconds() < 60

    @rule(at=REPLICA, who=REPLICA, name=NAME, which=st.integers(0, 5), amount=st.integers(1, 24))
    def reserve(self, at: int, who: int, name: str, which: int, amount: int) -> None:
        """Sets a part of a budget aside, or asks again for one that was."""
        budget = self.budgets.setdefault((self.tenants[who], name), Budget())
        reservation = f"r{which}"
        known = budget.fate.get(reservation)
        if known in ("settled", "released"):
            return  # a name is never used again
        request = pb.ReserveRequest(
            tenant=self.tenants[who],
            budget=name,
            reservation_id=reservation,
            amount=amount,
            limit=_LIMIT,
            window=seconds(_YEAR),
            ttl=seconds(_DAY),
        )
        remaining = budget.remaining
        answer = self.served.ask(lambda house: house.limits.Reserve(request), at)
        assert answer.granted == (known == "held" or amount <= remaining)
        if not answer.granted:
            assert answer.HasField("retry_after") == (amount <= _LIMIT)
        elif known is None:
            budget.used[reservation], budget.fate[reservation] = amount, "held"
        assert answer.remaining == budget.remaining

    @rule(at=REPLICA, who=REPLICA, name=NAME, which=st.integers(0, 5), amount=st.integers(0, 12))
    def settle(self, at: int, who: int, name: str, which: int, amount: int) -> None:
        """Says what was really used, once."""
        budget = self.budgets.setdefault((self.tenants[who], name), Budget())
        reservation = f"r{which}"
        known = budget.fate.get(reservation)
        request = pb.SettleRequest(tenant=self.tenants[who], budget=name, reservation_id=reservation, amount=amount)
        answer = self.served.ask(lambda house: house.limits.Settle(request), at)
        assert answer.applied == (known in ("held", "settled"))
        if known == "held":
            budget.used[reservation], budget.fate[reservation] = amount, "settled"
        if answer.applied:
            assert answer.remaining == budget.remaining

    @rule(at=REPLICA, who=REPLICA, name=NAME, which=st.integers(0, 5))
    def release(self, at: int, who: int, name: str, which: int) -> None:
        """Gives a part back."""
        budget = self.budgets.setdefault((self.tenants[who], name), Budget())
        reservation = f"r{which}"
        known = budget.fate.get(reservation)
        request = pb.ReleaseRequest(tenant=self.tenants[who], budget=name, reservation_id=reservation)
        answer = self.served.ask(lambda house: house.limits.Release(request), at)
        assert answer.applied == (known in ("held", "released"))
        if known == "held":
            del budget.used[reservation]
            budget.fate[reservation] = "released"
