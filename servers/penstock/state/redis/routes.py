"""Which order goes over which lane, also while a Cluster's slots change their servers."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

from hiredis import ReplyError

from penstock.state.redis.address import Endpoint, RedisAddress
from penstock.state.redis.background import Background
from penstock.state.redis.clock import RedisClock
from penstock.state.redis.cluster_map import Owners, read_owners, read_redirection, read_replicas, slot_of
from penstock.state.redis.dial import NotConnected, dial, dial_primary
from penstock.state.redis.faults import PASSING, maybe_done, not_done, refusal
from penstock.state.redis.lane import Lane
from penstock.state.redis.order import Order
from penstock.state.redis.pipe import Pipe

_AGAIN_S: Final = 0.05
_LOOK_S: Final = 0.2
_LOOK_ANYWAY_S: Final = 10.0
_ASK_S: Final = 1.0
_TOLD_S: Final = 5.0


class Routes:
    """Sends each order to the server that has its slot, and again where it surely was not done.

    A standalone server has one slot, which never moves.
    """

    def __init__(
        self,
        address: RedisAddress,
        owners: Owners,
        majority: int,
        tasks: Background,
        clock: RedisClock,
        clock_key: bytes,
    ) -> None:
        self._address = address
        self._owners = owners
        self._majority = majority
        self._tasks = tasks
        self._clock = clock
        self._clock_slot = self.slot_of(clock_key)
        self._lanes: dict[tuple[Endpoint, bool], Lane] = {}
        self._keepers: dict[Lane, asyncio.Task[None]] = {}
        self._seeds: set[Endpoint] = set(address.endpoints)
        self._moved: dict[int, tuple[Endpoint, float]] = {}
        self._met: set[Endpoint] = set()
        self._renewed: list[Callable[[], None]] = []
        self._stale = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        for owner in self.owners():
            self._lane(owner, waits=False)
        if address.cluster:
            tasks.start(self._follow_map())

    def slot_of(self, key: bytes) -> int:
        """Returns the slot of a key."""
        return slot_of(key) if self._address.cluster else 0

    def owners(self) -> set[Endpoint]:
        """Returns the servers that have slots."""
        return {owner for owner in self._owners if owner is not None}

    def owner(self, key: bytes) -> Endpoint | None:
        """Returns who has a key's slot; None: nobody now."""
        return self._owners[self.slot_of(key)]

    def lane_of(self, key: bytes) -> Lane | None:
        """Returns the lane to who has a key's slot."""
        owner = self.owner(key)
        return None if owner is None else self._lane(owner, waits=False)

    def lanes(self) -> list[Lane]:
        """Returns the lanes to all servers that have slots."""
        return [self._lane(owner, waits=False) for owner in self.owners()]

    def on_renewed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Has a callback called whenever a server may have changed; returns what ends that."""
        self._renewed.append(callback)
        return lambda: self._renewed.remove(callback)

    def place(self, order: Order) -> None:
        """Sends an order to who has its slot."""
        if self._closed:
            order.fail(not_done())
            return
        owner = self._owners[order.slot]
        if owner is None:
            self._stale.set()
            self._again(order, _AGAIN_S)
            return
        self._lane(owner, waits=order.waits).send(order)

    def close(self) -> None:
        """Fails what waits, and all that still comes."""
        self._closed = True
        for lane in self._lanes.values():
            for order in lane.take_backlog():
                order.fail(not_done())

    # What lanes tell (see Traffic).

    def up(self, lane: Lane, *, again: bool) -> None:
        """See Traffic."""
        if again or lane.endpoint not in self._met:
            self._met.add(lane.endpoint)
            self._tell_renewed()

    def down(self, lane: Lane) -> None:
        """See Traffic."""
        self._stale.set()

    def time(self, lane: Lane, server_us: int, asked_ns: int, answered_ns: int) -> None:
        """See Traffic."""
        # A Cluster's clocks differ; one of them decides.
        if lane.endpoint == self._owners[self._clock_slot]:
            self._clock.sample(server_us, asked_ns, answered_ns)

    def error(self, lane: Lane, pipe: Pipe, order: Order, error: Exception) -> None:
        """See Traffic."""
        text = str(error)
        code = text.split(" ", 1)[0]
        if code == "NOSCRIPT":
            order.forget(pipe.known)
            pipe.send(order)
        elif code == "MOVED" and self._address.cluster:
            slot, owner = read_redirection(text, lane.endpoint)
            # While servers disagree about a slot, each names the other, as often as it is asked.
            certain = lane.endpoint != owner and self._moved.get(slot, (owner,))[0] == owner
            self._moved[slot] = (owner, self._loop.time() + _TOLD_S)
            if self._owners[slot] != owner:
                self._owners[slot] = owner
                self._tell_renewed()
            self._stale.set()
            self._again(order, 0.0 if certain else _AGAIN_S)
        elif code == "ASK" and self._address.cluster:
            _, owner = read_redirection(text, lane.endpoint)
            if self._closed:
                order.fail(not_done())
            else:
                order.asking = True
                self._lane(owner, waits=order.waits).send(order)
        elif code in PASSING and self._loop.time() + _AGAIN_S < order.until:
            self._stale.set()
            if code == "READONLY":
                pipe.close()  # it was the primary; behind its name may now be another
            self._again(order, _AGAIN_S)
        else:
            order.fail(refusal(text))

    def unanswered(self, order: Order, *, sent: bool) -> None:
        """See Traffic."""
        if sent and not order.read_only:
            order.fail(maybe_done())
        else:
            self._again(order, 0.0)

    def _again(self, order: Order, pause: float) -> None:
        order.asking = False
        pause *= random.uniform(0.5, 1.5)
        if self._closed or self._loop.time() + pause >= order.until:
            order.fail(not_done())
        else:
            self._loop.call_later(pause, self.place, order)

    def _tell_renewed(self) -> None:
        for callback in list(self._renewed):
            callback()

    def _lane(self, endpoint: Endpoint, *, waits: bool) -> Lane:
        lane = self._lanes.get((endpoint, waits))
        if lane is None:
            lane = Lane(endpoint, lambda endpoint: dial_primary(self._address, endpoint), self, self._majority)
            self._lanes[endpoint, waits] = lane
            self._keepers[lane] = self._tasks.start(lane.keep())
        return lane

    async def _follow_map(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_LOOK_ANYWAY_S):
                    await self._stale.wait()
            except TimeoutError:
                pass
            self._stale.clear()
            await self._read_map()
            await asyncio.sleep(_LOOK_S * random.uniform(0.5, 1.0))
            if any(lane.pipe is None for lane in self.lanes()) or None in self._owners or self._moved:
                self._stale.set()

    async def _read_map(self) -> None:
        """Asks one server after another for the map, those first to which there is a connection."""
        connected = [lane for lane in self._lanes.values() if lane.pipe is not None]
        random.shuffle(connected)
        for lane in connected:
            if lane.pipe is not None and await self._ask_map(lane.pipe, lane.endpoint):
                return
        seeds = list(self._seeds)
        random.shuffle(seeds)
        for seed in seeds:
            try:
                async with asyncio.timeout(_ASK_S):
                    pipe, _ = await dial(self._address, seed)
            except (NotConnected, TimeoutError):
                continue
            try:
                if await self._ask_map(pipe, seed):
                    return
            finally:
                pipe.close()

    async def _ask_map(self, pipe: Pipe, asked: Endpoint) -> bool:
        try:
            async with asyncio.timeout(_ASK_S):
                reply: Any = await pipe.ask("CLUSTER", "SLOTS")
        except (ReplyError, ConnectionError, TimeoutError):
            return False
        self._seeds |= read_replicas(reply, asked)
        owners = read_owners(reply, asked)
        if not any(owners):
            return False
        # Whoever is asked may not have heard yet of what the owner itself has told.
        now = self._loop.time()
        self._moved = {slot: told for slot, told in self._moved.items() if told[1] > now}
        for slot, (owner, _) in self._moved.items():
            owners[slot] = owner
        if owners != self._owners:
            self._adopt(owners)
        return True

    def _adopt(self, owners: Owners) -> None:
        self._owners = owners
        kept = self.owners()
        self._seeds |= kept
        stranded: list[Order] = []
        for key, lane in list(self._lanes.items()):
            if lane.endpoint not in kept:
                del self._lanes[key]
                self._keepers.pop(lane).cancel()
                stranded += lane.take_backlog()
        for owner in kept:
            self._lane(owner, waits=False)
        self._tell_renewed()
        for order in stranded:
            self.place(order)
