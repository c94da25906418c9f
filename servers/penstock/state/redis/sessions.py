"""Conversations on Redis."""

from asyncio import Future
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, Final

from penstock.state.clock import to_timestamp
from penstock.state.redis.room_keys import SessionKeys
from penstock.state.redis.room_script import LOOK
from penstock.state.redis.room_state import RoomState, SessionMeta, read_state
from penstock.state.redis.room_step import Step
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.session_history import SessionHistory
from penstock.v1.run_pb2 import RunState
from penstock.v1.session_pb2 import (
    AppendMessagesRequest,
    AppendMessagesResponse,
    DropOutcome,
    ReadMessagesRequest,
    ReadMessagesResponse,
    Session,
    SessionMessage,
    UpdateSessionRequest,
    UpdateSessionResponse,
)

_FEW: Final = 16


class RedisSessions:
    """Keeps conversations."""

    def __init__(self, rooms: Rooms, history: SessionHistory) -> None:
        self._rooms = rooms
        self._history = history

    async def read(self, tenant: str, session_id: str) -> Session | None:
        """See SessionStore."""
        room = self._rooms.of_session(tenant, session_id)
        state, meta, data = await self._look(tenant, session_id, "GET", SessionKeys.of(room.tag).data)
        if meta is None:
            return None
        session = Session(
            session_id=session_id,
            first_index=meta.first,
            next_index=meta.next,
            create_time=to_timestamp(meta.created_us),
            update_time=to_timestamp(meta.updated_us),
            data_version=meta.data_version,
            data_json=(data or b"").decode(),
        )
        for run in state.runs.values():
            if run.head.state == RunState.RUN_STATE_QUEUED:
                session.queued_runs += 1
            else:
                session.active_run_id = run.head.run_id
        return session

    def update(self, request: UpdateSessionRequest) -> Awaitable[UpdateSessionResponse]:
        """See SessionStore."""

        def operation(step: Step) -> UpdateSessionResponse:
            found = self._history.find(step)
            current = 0 if found is None else found.data_version
            if request.HasField("expected_version") and request.expected_version != current:
                return UpdateSessionResponse(applied=False, version=current)
            meta = self._history.ensure(step)
            version = max(current + 1, meta.version_before + 1, step.now_us)
            step.write("SET", SessionKeys.of(step.room.tag).data, request.data_json)
            changed = replace(meta, data_version=version, updated_us=step.now_us, used_us=step.now_us)
            self._history.store(step, changed)
            return UpdateSessionResponse(applied=True, version=version)

        return self._rooms.of_session(request.tenant, request.session_id).submit(operation)

    def append(self, request: AppendMessagesRequest) -> Awaitable[AppendMessagesResponse]:
        """See SessionStore."""

        def operation(step: Step) -> AppendMessagesResponse:
            step.know_all(self._history.lookups(step, request.messages))
            found = self._history.find(step)
            next_index = 0 if found is None else found.next
            if (
                request.HasField("expected_index")
                and request.expected_index != next_index
                and not all(
                    self._history.place(step, found, message.message_id) is not None for message in request.messages
                )
            ):
                return AppendMessagesResponse(applied=False, next_index=next_index)
            indexes, next_index = self._history.append(step, request.messages)
            return AppendMessagesResponse(applied=True, indexes=indexes, next_index=next_index)

        return self._rooms.of_session(request.tenant, request.session_id).submit(operation)

    async def messages(self, request: ReadMessagesRequest, limit: int, max_bytes: int) -> ReadMessagesResponse:
        """See SessionStore."""
        response = ReadMessagesResponse()
        _, meta, _ = await self._look(request.tenant, request.session_id)
        if meta is None:
            return response
        begin = max(request.from_index, meta.first)
        end = min(request.before_index, meta.next) if request.HasField("before_index") else meta.next
        key = SessionKeys.of(self._rooms.of_session(request.tenant, request.session_id).tag).messages
        size = 0
        cut = False
        at_once = _FEW
        while begin < end:
            # Few at first, because they may be large; all the more when they are not.
            count = min(at_once, end - begin, limit + 1 - len(response.messages))
            span = range(end - 1, end - 1 - count, -1) if request.newest_first else range(begin, begin + count)
            bodies: Sequence[bytes | None] = await self._rooms.link.call("HMGET", key, *span, key=key, read_only=True)
            for body in bodies:
                if body is None:
                    cut = True
                    continue
                size += len(body)
                if response.messages and (len(response.messages) == limit or size > max_bytes):
                    response.more = True
                    break
                response.messages.append(SessionMessage.FromString(body))
            if response.more:
                break
            begin, end = (begin, end - count) if request.newest_first else (begin + count, end)
            at_once *= 2
        if cut and response.messages:
            _, meta, _ = await self._look(request.tenant, request.session_id)
            if meta is None or meta.first > min(message.index for message in response.messages):
                # Of what was read the oldest is gone too by now: a page is to have no hole.
                return await self.messages(request, limit, max_bytes)
        return response

    async def drop(self, tenant: str, session_id: str) -> DropOutcome:
        """See SessionStore."""

        def operation(step: Step) -> DropOutcome:
            if step.unfinished():
                return DropOutcome.DROP_OUTCOME_BUSY
            found = self._history.find(step)
            if step.meta is not None and not step.meta.gone_us:
                self._history.retire(step, step.meta)
            return DropOutcome.DROP_OUTCOME_NOT_FOUND if found is None else DropOutcome.DROP_OUTCOME_DROPPED

        return await self._rooms.of_session(tenant, session_id).submit(operation)

    async def _look(
        self, tenant: str, session_id: str, *command: str | bytes
    ) -> tuple[RoomState, SessionMeta | None, Any]:
        """Looks at a session for a reader, which counts as a use of it."""
        room = self._rooms.of_session(tenant, session_id)
        words = (len(command), *command) if command else ()
        keys = (room.key, *(word for word in command[1:2] if isinstance(word, bytes)))
        reply = await self._rooms.link.run(LOOK, keys, (b"-", b"-", *words))
        flat, *found = reply.value
        state = read_state(room.tag, flat or (), reply.server)
        now_us = self._rooms.link.clock.now_us()
        meta = state.meta
        ttl_us = self._history.ttl_us
        if meta is not None and not meta.is_there(now_us, ttl_us, held=bool(state.runs)):
            meta = None
        if meta is not None and ttl_us and meta.used_us < now_us - ttl_us // 10:
            # Nobody waits for this, and if it fails, the next reader does it.
            room.submit(self._note_use).add_done_callback(_ignore)
        return state, meta, found[0] if found else None

    def _note_use(self, step: Step) -> None:
        found = self._history.find(step)
        if found is not None:
            self._history.store(step, replace(found, used_us=step.now_us))


def _ignore(future: Future[None]) -> None:
    if not future.cancelled():
        future.exception()
