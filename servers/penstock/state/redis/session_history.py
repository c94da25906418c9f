"""What a session says: messages by index, the turns that they make, and what of it is cut."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from penstock.state.clock import LARGEST_STEP_US, to_timestamp
from penstock.state.redis.room_keys import SessionKeys
from penstock.state.redis.room_state import SessionMeta
from penstock.state.redis.room_step import Lookup, Step
from penstock.state.redis.run_record import RoomRun
from penstock.state.redis.session_turns import Turns
from penstock.state.settings import StateSettings
from penstock.v1.session_pb2 import SessionMessage

# Of messages that were cut so many ids are remembered, so that a late repeat is known.
REMEMBERED: Final = 1000
# Words in one command: more than Lua can unpack is far away.
_WORDS: Final = 1000


class SessionHistory:
    """Makes, grows and cuts conversations, as part of operations on their rooms."""

    def __init__(self, settings: StateSettings, due: bytes) -> None:
        self._limit = settings.history_limit
        self.due = due
        self.ttl_us = round(settings.session_ttl * 1e6)

    def find(self, step: Step) -> SessionMeta | None:
        """Returns the session of a room; None: there is none, or it has expired."""
        meta = step.meta
        held = bool(step.state.runs or step.unfinished())
        return meta if meta is not None and meta.is_there(step.now_us, self.ttl_us, held=held) else None

    def ensure(self, step: Step) -> SessionMeta:
        """Returns the session of a room, making it where there is none."""
        found = self.find(step)
        if found is not None:
            return found
        before = step.meta
        if before is not None:
            self.clear(step)
        now_us = step.now_us
        meta = SessionMeta(now_us, now_us, now_us, version_before=_last_version(before))
        self.store(step, meta)
        return meta

    def clear(self, step: Step, *, data: bool = True) -> None:
        """Removes all that a session which is gone has left; without `data`, its messages only."""
        keys = SessionKeys.of(step.room.tag)
        step.write("UNLINK", keys.messages, keys.ids, keys.turns, *([keys.data] if data else []))
        step.learn(("turns",), Turns())
        for fact in [fact for fact in step.state.facts if fact[0] == "id"]:
            step.state.facts[fact] = None

    def retire(self, step: Step, meta: SessionMeta) -> None:
        """Takes a session away; of its free data the version stays for a time, so that none ever comes twice."""
        self.clear(step)
        step.relieves = True
        due_us = step.now_us + LARGEST_STEP_US
        gone = SessionMeta(0, 0, 0, version_before=_last_version(meta), gone_us=step.now_us, due_us=due_us)
        self._list(step, due_us)
        step.write_meta(gone)

    def store(self, step: Step, meta: SessionMeta) -> None:
        """Stores a session's numbers, and has the sweep look at it when it may have expired."""
        if self.ttl_us:
            due_us = meta.used_us + self.ttl_us
            if due_us > meta.due_us + self.ttl_us // 10:
                meta = replace(meta, due_us=due_us)
                self._list(step, due_us)
        step.write_meta(meta)

    def expire(self, step: Step) -> int:
        """Does what time asks for; returns when to look at the session again, 0: never, as far as is known."""
        meta = step.meta
        if meta is None:
            return 0
        step.relieves = True
        held = bool(step.unfinished())
        if meta.is_there(step.now_us, self.ttl_us, held=held):
            if not self.ttl_us:
                return 0
            if held:
                meta = replace(meta, used_us=step.now_us)  # its run uses it
            due_us = meta.used_us + self.ttl_us
            step.write_meta(replace(meta, due_us=due_us))
            return due_us
        if not meta.gone_us:
            self.retire(step, meta)
            return step.now_us + LARGEST_STEP_US
        if meta.gone_us + LARGEST_STEP_US > step.now_us:
            return meta.gone_us + LARGEST_STEP_US
        runs = recorded(step)
        step.remove_meta()
        if not runs:
            step.vacate()
        return 0

    def due_us(self, meta: SessionMeta) -> int:
        """Returns the time under which a session is to stand among those that are looked at; 0: it need not."""
        if meta.due_us or not self.ttl_us:
            return meta.due_us
        return meta.used_us + self.ttl_us

    def _list(self, step: Step, due_us: int) -> None:
        step.indexes.append(("ZADD", self.due, due_us, f"{step.room.tenant}\0{step.room.session_id}"))

    def fix(self, step: Step, run: RoomRun) -> None:
        """Notes which messages of its session a run reads: those that are there now."""
        if run.head.session_id:
            meta = self.ensure(step)
            run.head.record.history_first_index = meta.first
            run.head.record.history_index = meta.next

    def lookups(self, step: Step, messages: Sequence[SessionMessage]) -> list[Lookup]:
        """Returns what must be known before messages can be appended."""
        meta = self.find(step)
        if meta is None or not meta.next:
            return []
        keys = SessionKeys.of(step.room.tag)
        lookups: list[Lookup] = [
            (("id", message.message_id), ("ZSCORE", keys.ids, message.message_id)) for message in messages
        ]
        if messages:
            lookups.append((("turns",), ("HGETALL", keys.turns)))
        return lookups

    def place(self, step: Step, meta: SessionMeta | None, message_id: str) -> int | None:
        """Returns the index of a message, also of one that was cut not long ago; None: the session doesn't have it."""
        if meta is None or not meta.next:
            return None
        keys = SessionKeys.of(step.room.tag)
        found = step.know(("id", message_id), "ZSCORE", keys.ids, message_id)
        index = None if found is None else int(found)
        return None if index is None or index < meta.first - REMEMBERED else index

    def append(
        self, step: Step, messages: Sequence[SessionMessage], writer: RoomRun | None = None
    ) -> tuple[list[int], int]:
        """Appends messages, those apart whose ids are there; returns the index of each, and the next one.

        `writer` is the run that they come from, as it will stand. What `lookups` names must be known: after that this
        can't fail.
        """
        meta = self.ensure(step)
        keys = SessionKeys.of(step.room.tag)
        turns = self._turns(step, meta)
        indexes: list[int] = []
        next_index = meta.next
        time = to_timestamp(step.now_us)
        new: dict[str, int] = {}
        for message in messages:
            index = new.get(message.message_id)
            if index is None:
                index = self.place(step, meta, message.message_id)
            if index is None:
                index, next_index = next_index, next_index + 1
                new[message.message_id] = index
                stored = SessionMessage()
                stored.CopyFrom(message)
                stored.index = index
                stored.time.CopyFrom(time)
                step.write("HSET", keys.messages, index, stored.SerializeToString())
                step.write("ZADD", keys.ids, index, message.message_id)
                for place, row in turns.note(meta.first, stored):
                    step.write("HSET", keys.turns, place, row)
            indexes.append(index)
        for message_id, index in new.items():
            step.learn(("id", message_id), index)
        first = meta.first
        if next_index - first > self._limit and not _is_read(step, writer):
            first = max(first, turns.first_to_keep(next_index - self._limit))
            if first > meta.first:
                self._cut(step, keys, turns, meta.first, first)
        changed = replace(meta, first=first, next=next_index, used_us=step.now_us)
        self.store(step, replace(changed, updated_us=step.now_us) if new else changed)
        return indexes, next_index

    def _turns(self, step: Step, meta: SessionMeta) -> Turns:
        if not meta.next:
            step.learn(("turns",), Turns())
        found = step.know(("turns",), "HGETALL", SessionKeys.of(step.room.tag).turns)
        if not isinstance(found, Turns):
            found = Turns.read(found)
            step.learn(("turns",), found)
        return found

    @staticmethod
    def _cut(step: Step, keys: SessionKeys, turns: Turns, before: int, first: int) -> None:
        for begin in range(before, first, _WORDS):
            step.write("HDEL", keys.messages, *range(begin, min(begin + _WORDS, first)))
        gone = turns.cut(first)
        for begin in range(0, len(gone), _WORDS):
            step.write("HDEL", keys.turns, *gone[begin : begin + _WORDS])
        step.write("ZREMRANGEBYSCORE", keys.ids, "-inf", f"({first - REMEMBERED}")


def recorded(step: Step) -> int:
    """Returns how many runs a session has, also those that have ended."""
    return int(step.know(("recorded",), "ZCARD", SessionKeys.of(step.room.tag).runs))


def _is_read(step: Step, writer: RoomRun | None) -> bool:
    """Tells whether a run that is not terminal has its history fixed, and so reads what is there."""
    if writer is not None and not writer.head.finished and writer.head.record.epoch:
        return True
    ending = None if writer is None else writer.head.run_id
    return any(run.head.record.epoch > 0 for run in step.unfinished() if run.head.run_id != ending)


def _last_version(meta: SessionMeta | None) -> int:
    """Returns the newest version that the free data of a session which is gone has had."""
    return 0 if meta is None else meta.data_version or meta.version_before
