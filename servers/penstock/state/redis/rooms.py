"""The rooms that this process knows: each holds a session with its runs, or a run by itself."""

import asyncio
from asyncio import Future
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from penstock.state.redis.generations import Generations
from penstock.state.redis.keys import Tag
from penstock.state.redis.link import Link
from penstock.state.redis.log_followed import Followers
from penstock.state.redis.replica import DurableMarks
from penstock.state.redis.room_commits import Room
from penstock.state.redis.room_step import Moved, Step
from penstock.state.redis.run_indexes import Place, RunIndexes

T = TypeVar("T")
_Name = tuple[str, str]


class Rooms:
    """Finds the room of a run, and has all rooms with work begin in one turn, so that they share a write.

    What is known of a room is kept while there is space; to forget is always right.
    """

    def __init__(
        self, link: Link, generations: Generations, followers: Followers, marks: DurableMarks, most_rooms: int
    ) -> None:
        self.link = link
        self.indexes = RunIndexes(link.keys)
        self.generations = generations
        self.followers = followers
        self.marks = marks
        self.renewals = 0
        self._most_rooms = most_rooms
        self._rooms: OrderedDict[bytes, Room] = OrderedDict()
        self._places: OrderedDict[_Name, Tag] = OrderedDict()
        self._sought: dict[_Name, list[tuple[Callable[[Step], Any], Future[Any]]]] = {}
        self._due: list[Room] = []
        self._loop = asyncio.get_running_loop()

    def of_session(self, tenant: str, session_id: str) -> Room:
        """Returns the room of a session."""
        return self._room(self.link.keys.session_room(tenant, session_id), tenant, session_id)

    def own_of(self, tenant: str, run_id: str) -> Room:
        """Returns the room that a run has if it has no session, and that tells where it is if it has one."""
        return self._room(self.link.keys.run_room(tenant, run_id), tenant, "")

    def at(self, place: Place) -> Room:
        """Returns the room of a run that is known to be in a session, or in none."""
        if place.session_id:
            return self.of_session(place.tenant, place.session_id)
        return self.own_of(place.tenant, place.run_id)

    def submit(self, tenant: str, run_id: str, apply: Callable[[Step], T]) -> Future[T]:
        """Does an operation in the room of a run, in the order of the calls; in its own room if there is no such run.

        The future has what it returned or raised, once that stands in the store.
        """
        name = (tenant, run_id)
        tag = self._places.get(name)
        # While others wait to be told where the run is, this comes behind them.
        if tag is not None and name not in self._sought:
            self._places.move_to_end(name)
            room = self._rooms.get(tag.begin)
            if room is not None:
                self._rooms.move_to_end(tag.begin)
                return room.submit(partial(_there, run_id, apply))
        future: Future[T] = self._loop.create_future()
        self.seek(tenant, run_id, apply, future)
        return future

    def seek(self, tenant: str, run_id: str, apply: Callable[[Step], T], future: Future[T]) -> None:
        """Does an operation where it turns out that the run is, whatever was known of that."""
        name = (tenant, run_id)
        self.forget_place(tenant, run_id)
        if name in self._sought:
            self._sought[name].append((apply, future))
        else:
            self._sought[name] = [(apply, future)]
            self.find(tenant, run_id).add_done_callback(partial(self._found, name))

    def find(self, tenant: str, run_id: str) -> Future[Room]:
        """Finds the room of a run; its own if there is no such run."""
        own = self.own_of(tenant, run_id)

        def look(step: Step) -> Room:
            pointer = step.state.pointer
            room = own if pointer is None else self.of_session(tenant, pointer)
            if step.state.version:
                self.note_place(tenant, run_id, room)
            return room

        return own.submit(look)

    def place(self, tenant: str, run_id: str) -> Tag | None:
        """Returns where a run is, if that is known here."""
        return self._places.get((tenant, run_id))

    def note_place(self, tenant: str, run_id: str, room: Room) -> None:
        """Remembers where a run is; that does not change until it is removed."""
        self._places[tenant, run_id] = room.tag
        while len(self._places) > 4 * self._most_rooms:
            self._places.popitem(last=False)

    def forget_place(self, tenant: str, run_id: str) -> None:
        """Forgets where a run was that may be there no more."""
        self._places.pop((tenant, run_id), None)

    def forget_places(self) -> None:
        """Forgets where all runs are, because it may not have been heard that some were removed."""
        self._places.clear()

    def confirm(self, tenant: str, run_id: str) -> None:
        """Has it seen to that the replicas confirm what they have not, in the room of a run that is known here."""
        tag = self.place(tenant, run_id)
        room = None if tag is None else self._rooms.get(tag.begin)
        if room is not None:
            self.marks.is_short(room, run_id)

    def begin_soon(self, room: Room) -> None:
        """Has a room take up its work with all others, at the end of this turn."""
        if not self._due:
            self._loop.call_soon(self._begin)
        self._due.append(room)

    def forget(self, room: Room) -> None:
        """Drops a room that will hardly be asked for again."""
        if self._rooms.get(room.tag.begin) is room and room.idle:
            del self._rooms[room.tag.begin]

    def doubt_all(self) -> None:
        """Has every room look again before its next change, because a server may not be what it was."""
        self.renewals += 1

    def _room(self, tag: Tag, tenant: str, session_id: str) -> Room:
        room = self._rooms.get(tag.begin)
        if room is None:
            room = self._rooms[tag.begin] = Room(self, tag, tenant, session_id)
            while len(self._rooms) > self._most_rooms and next(iter(self._rooms.values())).idle:
                self._rooms.popitem(last=False)
        else:
            self._rooms.move_to_end(tag.begin)
        return room

    def _begin(self) -> None:
        due, self._due = self._due, []
        for room in due:
            room.begin()

    def _found(self, name: _Name, found: "Future[Room]") -> None:
        for apply, future in self._sought.pop(name):
            if found.cancelled():
                future.cancel()
            elif (error := found.exception()) is not None:
                if not future.done():
                    future.set_exception(error)
            else:
                found.result().submit(apply, future)


def _there(run_id: str, apply: Callable[[Step], T], step: Step) -> T:
    if step.run(run_id) is None:
        raise Moved(run_id, apply)
    return apply(step)
