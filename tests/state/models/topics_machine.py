"""A topic and a consumer group against a list and a cursor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from penstock.v1.event_pb2 import DeliveredEvent, SubscribeRequest
from tests.state.house import House
from tests.state.models.choices import REPLICA, SELDOM
from tests.state.models.machine import StoreMachine
from tests.state.models.served import Served
from tests.state.subscriber import Subscriber, publish, subscriber

T = TypeVar("T")
_DELIVERIES = 5
_tenants = count()

ANY = st.integers(0, 99)


class TopicsMachine(StoreMachine):
    """Publishes, and is the one member of a group that acknowledges, fails, leaves and comes back."""

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        self.tenant = f"t{next(_tenants)}"
        self.events: list[str] = []
        self.numbers = count()
        self.member: Subscriber | None = None
        self.call: Any = None
        self.room = 0
        self.following = 1
        self.out: dict[int, int] = {}
        """How often each event that waits for an answer was delivered."""
        self.back: dict[int, int] = {}
        """How often each event that comes again was delivered before."""
        self.dying: list[int] = []
        """What is to be buried as soon as the group has a member."""
        self.dead: list[int] = []

    @rule(at=REPLICA, old=st.lists(st.one_of(st.none(), st.integers(1, 4)), min_size=1, max_size=4))
    def publish(self, at: int, old: list[int | None]) -> None:
        """Publishes new events, and some again that were published so many events ago."""
        names, positions = [], []
        for back in old:
            if back is None or back > len(self.events):
                self.events.append(f"e{next(self.numbers)}")
                back = 1
            names.append(self.events[-back])
            positions.append(len(self.events) - back + 1)
        told = self.served.ask(lambda house: publish(house.events, *names, tenant=self.tenant), at)
        assert told == positions

    @rule(at=REPLICA, room=st.integers(1, 6))
    @precondition(lambda self: self.member is None)
    def join(self, at: int, room: int) -> None:
        """Becomes the member of the group, which begins at the oldest event."""

        async def joined(house: House) -> Subscriber:
            request = SubscribeRequest(
                tenant=self.tenant,
                topic="t",
                group="g",
                from_position=0,
                max_unacknowledged=room,
                visibility_timeout=Duration(seconds=3600),
            )
            self.call = house.events.Subscribe(request)
            member = Subscriber(house.events, request, self.call)
            await member.start()
            return member

        self.member, self.room = self.served.ask(joined, at), room
        assert self.member.first.group == "g"
        self.dead += self.dying
        self.dying.clear()

    @rule()
    @precondition(lambda self: self.member is not None)
    def receive(self) -> None:
        """Reads all that there is room for."""
        waiting = len(self.back) + len(self.events) - self.following + 1
        expected = min(self.room - len(self.out), waiting)
        if expected <= 0:
            return
        for got in self._ask(lambda member: member.some(expected)):
            before = self.back.pop(got.position, None)
            if before is None:
                assert got.position == self.following
                self.following += 1
            assert (got.event.event_id, got.delivery) == (self.events[got.position - 1], (before or 0) + 1)
            self.out[got.position] = got.delivery

    @rule(which=ANY)
    @precondition(lambda self: self.member is not None and self.out)
    def acknowledge(self, which: int) -> None:
        """Is done with an event; of a second answer nobody knows what it is for."""
        position = sorted(self.out)[which % len(self.out)]
        assert self._ask(lambda member: member.acknowledge(position)) == []
        del self.out[position]
        assert self._ask(lambda member: member.acknowledge(position)) == [position]

    @rule(which=ANY)
    @precondition(lambda self: self.member is not None and self.out)
    def fail(self, which: int) -> None:
        """Could not handle an event."""
        position = sorted(self.out)[which % len(self.out)]
        assert self._ask(lambda member: member.fail(position, "no")) == []
        delivery = self.out.pop(position)
        if delivery == _DELIVERIES:
            self.dead.append(position)
        else:
            self.back[position] = delivery

    @rule()
    @precondition(lambda self: self.member is not None)
    def leave(self) -> None:
        """Ends the stream, so that all that is out comes again; only the oldest of it counts as delivered."""
        self.receive()
        self._close()
        oldest = min(self.out, default=0)
        for position, delivery in self.out.items():
            counted = delivery - (position != oldest)
            if counted == _DELIVERIES:
                self.dying.append(position)
            else:
                self.back[position] = counted
        self.out.clear()

    @rule(at=REPLICA)
    def bury(self, at: int) -> None:
        """Reads the dead letters, which are events of their own."""

        async def letters(house: House) -> list[DeliveredEvent]:
            fields = {"tenant": self.tenant, "topic": "t.g.dead", "from_position": 0, "max_unacknowledged": 100}
            async with subscriber(house.events, **fields) as reader:
                return await reader.some(len(self.dead))

        if self.dead:
            found = self.served.ask(letters, at)
            assert [got.event.event_id for got in found] == [self.events[position - 1] for position in self.dead]

    @rule(sure=SELDOM)
    @precondition(lambda self: self.member is None and not self.back and not self.dying)
    def reopen(self, sure: bool) -> None:
        """Ends the state processes and starts others."""
        if sure:
            self.served.reopen()

    def teardown(self) -> None:
        """Ends the stream."""
        if self.member is not None:
            self._close()

    def _ask(self, question: Callable[[Subscriber], Awaitable[T]]) -> T:
        member = self.member
        assert member is not None
        return self.served.ask(lambda _: question(member))

    def _close(self) -> None:
        async def closed(_: Subscriber) -> None:
            self.call.cancel()

        self._ask(closed)
        self.member = None
