"""Looking a store over for damage: whether what lies in rooms, topics and values agrees with itself."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final

from penstock.state.care import RecordKind
from penstock.state.redis.care_check_run import UNREADABLE, Found, RunCheck
from penstock.state.redis.care_names import RecordNames
from penstock.state.redis.care_walk import FoundKey, KeyWalk
from penstock.state.redis.keys import Tag
from penstock.state.redis.link import Link
from penstock.state.redis.room_keys import SessionKeys
from penstock.state.redis.room_script import LOOK
from penstock.state.redis.room_state import read_state
from penstock.state.redis.scripts import Script
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.redis.values_scripts import PRESENT
from penstock.v1.state_admin_pb2 import CheckStoreResponse, StoreProblem

# Of each kind so many are named.
_MOST_NAMED: Final = 100
# Looked at in one go, which may take a second when logs are long.
_TOGETHER: Final = 20
_NAMES: Final = 200

_REMEDIES: Final = {
    "ROOM_DAMAGED": "go back to a backup of the server's data, or export what can be read and import it elsewhere",
    "MESSAGES_MISSING": "read what is left with the session's messages, then delete the session",
    "DATA_MISSING": "write the session's free data anew",
    "EVENTS_MISSING": "none is needed: groups pass over what is not kept",
    "VALUE_MISSING": "write the value anew, or delete it",
    "KEYS_WITHOUT_OWNER": "they only take room; export and import into a new store leaves them behind",
    "INDEX_INCOMPLETE": "wait for the store to mend its indexes, which takes minutes, and check again",
}
_MEND_RUN: Final = (
    "export the store, and import it into a new one: what can't be read is left out, and named in penstockd's log"
)

# Keys: topic, events. Out: first position, next position, events kept; nothing: there is no such topic.
_COUNT_EVENTS: Final = Script(
    """#!lua flags=no-writes
local bounds = redis.call('HMGET', KEYS[1], 'first', 'next')
if not bounds[1] then return false end
return {bounds[1], bounds[2], redis.call('XLEN', KEYS[2])}
""",
    read_only=True,
)

# Keys: head, body. Out: whether the head says that there is a value, and no body is there.
_LACKS_BODY: Final = Script(
    "#!lua flags=no-writes\n"
    + PRESENT
    + """
local says = head[5] == '1' and (not head[4] or tonumber(head[4]) > now + 1000)
return says and not live and 1 or 0
""",
    read_only=True,
)


class Check:
    """Looks at everything once; what seems wrong is looked at twice, because the store goes on meanwhile."""

    def __init__(self, link: Link, names: RecordNames, runs: RunCheck) -> None:
        self._link = link
        self._names = names
        self._runs = runs
        self._walk = KeyWalk(link)

    async def look_over(self) -> AsyncGenerator[CheckStoreResponse]:
        """Yields what is wrong, and how far it has come; see StoreCare."""
        named: Counter[str] = Counter()
        seen = 0
        async with aclosing(self._looks()) as all_looks:
            async for looking_at, looks in all_looks:
                for begin in range(0, len(looks), _TOGETHER):
                    piece = looks[begin : begin + _TOGETHER]
                    response = CheckStoreResponse(looking_at=looking_at)
                    for kind, detail in [one for found in await asyncio.gather(*map(_sure, piece)) for one in found]:
                        named[kind] += 1
                        if named[kind] <= _MOST_NAMED:
                            remedy = _REMEDIES.get(kind, _MEND_RUN)
                            response.problems.append(StoreProblem(kind=kind, detail=detail, remedy=remedy))
                    seen += len(piece)
                    response.looked_at = seen
                    yield response
                if not looks:
                    yield CheckStoreResponse(looking_at=looking_at, looked_at=seen)
        yield CheckStoreResponse(looked_at=seen, complete=True)

    async def _looks(self) -> AsyncGenerator[tuple[str, Sequence["_Look"]]]:
        async with aclosing(self._walk.keys()) as pieces:
            async for piece in pieces:
                yield "keys", [look for found in piece if (look := self._look_at(found)) is not None]
        after = b""
        while True:
            page = await self._names.page(RecordKind.TOPIC, after, _NAMES)
            yield "topics", [_Look(self._topic, (name.tenant, name.name)) for name in page.items]
            if page.next_place is None:
                return
            after = page.next_place

    def _look_at(self, found: FoundKey) -> "_Look | None":
        match found.kind, found.named:
            case "room", False:
                return _Look(self._room, (found.tag,))
            case "run", True:
                return _Look(self._runs.look, (found.key, found.tag))
            case "head", False:
                return _Look(self._value, (found.key, found.tag))
            case "messages", False:
                return _Look(self._owner, (found.key, found.tag))
        return None

    async def _room(self, tag: Tag) -> Found:
        keys = SessionKeys.of(tag)
        commands = ((2, "HLEN", keys.messages), (2, "EXISTS", keys.data))
        room = tag.key("room")
        reply = await self._link.run(LOOK, (room, keys.messages, keys.data), (b"-", b"-", *commands[0], *commands[1]))
        flat, messages, data = reply.value
        if not flat:
            return []
        try:
            state = read_state(tag, flat, reply.server)
        except UNREADABLE:
            return [("ROOM_DAMAGED", f"the room {room.decode()} can't be read")]
        problems = []
        whose = f"session {state.session_id} of tenant {state.tenant}"
        meta = state.meta
        if meta is not None and not meta.gone_us and messages != meta.next - meta.first:
            counted = f"counts messages {meta.first} to {meta.next - 1}"
            problems.append(("MESSAGES_MISSING", f"{whose} {counted}, of which {messages} are there"))
        if meta is not None and meta.data_version and not data:
            problems.append(
                ("DATA_MISSING", f"{whose} has free data of version {meta.data_version}, which are not there")
            )
        for run in state.runs.values():
            if not await self._link.call("EXISTS", run.keys.fixed, key=run.keys.fixed, read_only=True):
                problems.append(
                    ("SPEC_MISSING", f"run {run.head.run_id} of tenant {state.tenant}: what was asked for is missing")
                )
        return problems

    async def _owner(self, key: bytes, tag: Tag) -> Found:
        room = tag.key("room")
        reply = await self._link.run(LOOK, (room, key), (b"-", b"-", 2, "EXISTS", key))
        flat, there = reply.value
        owned = flat and read_state(tag, flat, reply.server).meta is not None
        return [("KEYS_WITHOUT_OWNER", f"{key.decode()}: there is no session")] if there and not owned else []

    async def _value(self, key: bytes, tag: Tag) -> Found:
        reply = await self._link.run(_LACKS_BODY, (key, tag.key("body")))
        return [("VALUE_MISSING", f"what {key.decode()} is about is not there")] if reply.value else []

    async def _topic(self, tenant: str, topic: str) -> Found:
        keys = TopicKeys(self._link.keys, tenant, topic)
        reply = await self._link.run(_COUNT_EVENTS, (keys.topic, keys.events))
        if reply.value is None:
            return []
        first, following, there = map(int, reply.value)
        if there == following - first:
            return []
        counted = f"counts events {first} to {following - 1}"
        return [("EVENTS_MISSING", f"topic {topic} of tenant {tenant} {counted}, of which {there} are there")]


class _Look:
    __slots__ = ("arguments", "look")

    def __init__(self, look: Callable[..., Awaitable[Found]], arguments: tuple[object, ...]) -> None:
        self.look = look
        self.arguments = arguments


async def _sure(look: _Look) -> Found:
    """Looks; and again when something seems wrong, because it may have changed between two commands."""
    found = await look.look(*look.arguments)
    if not found:
        return found
    again = {kind for kind, _ in await look.look(*look.arguments)}
    return [one for one in found if one[0] in again]
