"""Taking in exported sessions, as operations on their rooms."""

from dataclasses import replace

from penstock.state.clock import from_timestamp
from penstock.state.redis.room_keys import SessionKeys
from penstock.state.redis.room_state import SessionMeta
from penstock.state.redis.room_step import Step
from penstock.state.redis.session_history import SessionHistory
from penstock.state.redis.session_turns import Turns
from penstock.v1.state_admin_pb2 import ExportedMessages, ExportedSession
from penstock.wire.errors import FailedPrecondition


class SessionImport:
    """Makes sessions as they were, and fills them."""

    def __init__(self, history: SessionHistory) -> None:
        self._history = history

    def add(self, exported: ExportedSession, step: Step) -> bool:
        """Makes a session; see StoreCare."""
        if self._history.find(step) is not None:
            return False
        first = exported.session.first_index
        made = replace(
            self._history.ensure(step),
            first=first,
            next=first,
            created_us=from_timestamp(exported.session.create_time),
        )
        self._bring_up(step, made, exported)
        return True

    def forward(self, exported: ExportedSession, step: Step) -> None:
        """Brings a session up to a newer state; see StoreCare."""
        found = self._history.find(step)
        if found is None or found.updated_us >= from_timestamp(exported.session.update_time):
            return  # it has gone on here meanwhile
        first = exported.session.first_index
        if first > found.next:
            self._history.clear(step, data=False)
            found = replace(found, first=first, next=first)
        self._bring_up(step, found, exported)

    def add_messages(self, exported: ExportedMessages, step: Step) -> None:
        """Appends messages; see StoreCare."""
        found = self._history.find(step)
        if found is None or exported.messages[0].index != found.next:
            raise FailedPrecondition(f"session {exported.session_id} of tenant {exported.tenant} was changed meanwhile")
        keys = SessionKeys.of(step.room.tag)
        turns = step.know(("turns",), "HGETALL", keys.turns)
        if not isinstance(turns, Turns):
            turns = Turns.read(turns)
        for message in exported.messages:
            step.write("HSET", keys.messages, message.index, message.SerializeToString())
            step.write("ZADD", keys.ids, message.index, message.message_id)
            for place, row in turns.note(found.first, message):
                step.write("HSET", keys.turns, place, row)
            step.learn(("id", message.message_id), message.index)
        step.learn(("turns",), turns)
        self._history.store(step, replace(found, next=exported.messages[-1].index + 1, used_us=step.now_us))

    def _bring_up(self, step: Step, meta: SessionMeta, exported: ExportedSession) -> None:
        session = exported.session
        if session.data_version > meta.data_version:
            step.write("SET", SessionKeys.of(step.room.tag).data, session.data_json)
            meta = replace(meta, data_version=session.data_version)
        self._history.store(step, replace(meta, updated_us=from_timestamp(session.update_time)))
