"""One room: operations on it go together into commits, each of which takes it from one version to the next."""

from __future__ import annotations

import asyncio
import random
from asyncio import Future
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from penstock.state.log.refused import Refused
from penstock.state.redis.faults import maybe_done
from penstock.state.redis.generation import renew
from penstock.state.redis.keys import Tag
from penstock.state.redis.lane import ServerChanged
from penstock.state.redis.room_keys import room_key
from penstock.state.redis.room_script import COMMIT, COMMIT_RELIEF, LOOK, RELIEF
from penstock.state.redis.room_state import IDENTITY, NAMES, VERSION, RoomState, read_state
from penstock.state.redis.room_step import Lookup, Moved, Step, Unknown, Word
from penstock.wire.errors import PenstockError, Unavailable

if TYPE_CHECKING:
    from penstock.state.redis.rooms import Rooms
    from penstock.state.redis.scripts import Reply

T = TypeVar("T")

_MOST_TOGETHER: Final = 256
_MOST_TRIES: Final = 100
_TRIES_AT_ONCE: Final = 3
_OF_MANY_KEYS: Final = frozenset({"UNLINK", "RENAME"})
# In one command, an even number of them: Lua can't unpack as many as a long queue that ends at once may bring.
_MOST_WORDS: Final = 1000
# What nobody can have written: whoever knows nothing yet gets all.
_UNSEEN: Final = (b"-", b"-")


class _Operation:
    __slots__ = ("apply", "error", "future", "value")

    def __init__(self, apply: Callable[[Step], Any], future: Future[Any]) -> None:
        self.apply = apply
        self.future = future
        self.value: Any = None
        self.error: Exception | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Room:
    """Computes operations upon what is known of the room, and commits what they change if that still holds.

        idle ──▶ looking ──▶ computed ──▶ committing ──▶ settled ──▶ idle
                    ▲            │             │
                    └─ unknown ──┘             └─ another was first: with what stands there now, computed again

    What comes while a commit is on its way goes together into the next. Operations that change nothing are answered
    only upon a look that began after they came, or with a commit of others.
    """

    def __init__(self, rooms: Rooms, tag: Tag, tenant: str, session_id: str) -> None:
        self.tag = tag
        self.key = room_key(tag)
        self.tenant = tenant
        self.session_id = session_id
        self._rooms = rooms
        self._state: RoomState | None = None
        self._renewals = 0
        self._pending: list[_Operation] = []
        self._batch: list[_Operation] = []
        self._steps: list[Step] = []
        self._tries = 0
        self._due = False

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not (self._batch or self._pending)

    def submit(self, apply: Callable[[Step], T], future: Future[T] | None = None) -> Future[T]:
        """Does an operation in its turn; the future has what it returned or raised, once that stands in the store."""
        if future is None:
            future = asyncio.get_running_loop().create_future()
        self._pending.append(_Operation(apply, future))
        if not self._due and not self._batch:
            self._due = True
            self._rooms.begin_soon(self)
        return future

    def begin(self) -> None:
        """Takes up what waits."""
        self._due = False
        if self._batch or not self._pending:
            return
        self._batch, self._pending = self._pending[:_MOST_TOGETHER], self._pending[_MOST_TOGETHER:]
        self._tries = 0
        if self._state is None or self._renewals != self._rooms.renewals:
            self._state = None
            self._look()
        else:
            self._compute(looked=False)

    def _look(self, lookups: Sequence[Lookup] = ()) -> None:
        state = self._state
        self._renewals = self._rooms.renewals
        arguments: list[Word] = [*_UNSEEN] if state is None else [state.version, state.identity]
        for _, command in lookups:
            arguments += [len(command), *command]
        keys = self._keys([command for _, command in lookups])
        self._rooms.link.run(LOOK, keys, arguments).add_done_callback(partial(self._looked, lookups))

    def _looked(self, lookups: Sequence[Lookup], looked: Future[Reply]) -> None:
        try:
            reply = looked.result()
        except ServerChanged:
            self._again()
            return
        except Exception as error:
            self._fail(error)
            return
        flat, *found = reply.value
        state = self._take_in(flat, reply) if flat is not None or self._state is None else self._state
        state.server = reply.server
        state.facts.update(zip((fact for fact, _ in lookups), found, strict=True))
        if self._rooms.generations.of(reply.server) is None:
            self._rooms.generations.learn(reply.server).add_done_callback(self._learned)
        else:
            self._compute(looked=True)

    def _learned(self, learned: Future[Reply]) -> None:
        error = None if learned.cancelled() else learned.exception()
        if isinstance(error, Exception):
            self._fail(error)
        else:
            self._compute(looked=True)

    def _take_in(self, flat: Sequence[bytes] | None, reply: Reply) -> RoomState:
        state = self._state = read_state(self.tag, flat or (), reply.server)
        if not state.version:
            state.tenant, state.session_id = self.tenant, self.session_id
        return state

    def _compute(self, *, looked: bool) -> None:
        state = self._state
        if state is None:
            self._look()
            return
        now_us = self._rooms.link.clock.now_us()
        generation = self._rooms.generations.of(state.server) or 0
        server = state.server
        renewed = bool(state.identity) and not server.is_life_of(state.identity)
        identity = server.to_bytes() if renewed or not state.identity else state.identity
        self._steps = []
        if renewed:
            # By itself, so that nothing else has to be undone with it.
            step = Step(self, state, now_us, generation)
            renew(step, self._rooms.indexes)
            step.relieves = True  # it adds next to nothing, and whatever makes room waits for it
            step.keep()
            self._commit([step], identity)
            return
        for position, operation in enumerate(self._batch):
            step = Step(self, state, now_us, generation)
            try:
                operation.value = operation.apply(step)
                operation.error = None
            except Unknown as unknown:
                if position == 0:
                    self._look(unknown.lookups)
                    return
                # Those before it go first: what it asks for, they may change.
                self._pending[:0] = self._batch[position:]
                del self._batch[position:]
                break
            except (Refused, PenstockError, Moved) as error:
                operation.error = error
            except Exception as error:
                # A fault of ours; whatever it left half done in what is known here must not reach the store.
                operation.fail(error)
                del self._batch[position]
                self._again()
                return
            else:
                step.keep()
                if step.writes:
                    self._steps.append(step)
        if self._steps:
            self._commit(self._steps, identity)
        elif looked:
            self._settle()
        else:
            self._look()

    def _commit(self, steps: Sequence[Step], identity: bytes) -> None:
        state = self._state
        assert state is not None  # only just computed upon
        fields: dict[bytes, Word] = {}
        removed: list[bytes] = []
        arguments: list[Word] = [state.version, state.identity]
        indexes: list[Future[Any]] = []
        link = self._rooms.link
        relieves = all(step.relieves for step in steps)
        for step in steps:
            for command in step.commands:
                arguments += (len(command), *command)
            fields.update(step.fields)
            if removed:
                removed = [name for name in removed if name not in step.fields]
            removed += step.removed
            for name, key, *rest in step.indexes:
                indexes.append(
                    link.run(RELIEF, (key,), (name, *rest)) if relieves else link.call(name, key, *rest, key=key)
                )
        if not state.version:
            fields[NAMES] = f"{self.tenant}\0{self.session_id}"
            # Never a version that the room may have had before all of it was removed.
            version = max(1, link.clock.now_us())
        else:
            version = state.version + 1
        fields[VERSION] = version
        if state.identity != identity:
            fields[IDENTITY] = identity
        words = [word for item in fields.items() for word in item]
        for name, all_words in (("HSET", words), ("HDEL", removed)):
            for begin in range(0, len(all_words), _MOST_WORDS):
                piece = all_words[begin : begin + _MOST_WORDS]
                arguments += (len(piece) + 2, name, self.key, *piece)
        if steps[-1].vacates:
            arguments += (2, "DEL", self.key)
        replicate = any(step.replicate for step in steps)
        keys = self._keys([command for step in steps for command in step.commands])
        script = COMMIT_RELIEF if relieves else COMMIT
        commit: Future[Any] = link.run(script, keys, arguments, wait_replicas=replicate, on=state.server)
        if indexes:
            # All of them, whatever fails: only then is it known whether the commit stands.
            commit = asyncio.gather(commit, *indexes, return_exceptions=True)
        commit.add_done_callback(partial(self._committed, steps, version, identity))

    def _keys(self, commands: Sequence[Sequence[Word]]) -> Sequence[bytes]:
        """Returns the keys that a script is to declare: the room, and in a Cluster all others that it touches.

        While their slot moves, a server then refuses the script before it begins; else it would end in the middle, at
        the first key that is not there, with half of it done.
        """
        if not self._rooms.link.is_cluster:
            return (self.key,)
        others = (
            word for command in commands for word in (command[1:] if command[0] in _OF_MANY_KEYS else command[1:2])
        )
        return tuple(dict.fromkeys((self.key, *(key for key in others if isinstance(key, bytes)))))

    def _committed(self, steps: Sequence[Step], version: int, identity: bytes, committed: Future[Any]) -> None:
        try:
            results = committed.result()
            reply, *of_indexes = results if isinstance(results, list) else [results]
            if isinstance(reply, BaseException):
                raise reply
        except ServerChanged:
            self._again()
            return
        except Exception as error:
            self._rooms.followers.miss()  # the commit may stand
            self._fail(error)
            return
        if isinstance(reply.value, list):
            self._take_in(reply.value, reply)
            self._again(known=True)
            return
        failed = next((result for result in of_indexes if isinstance(result, Exception)), None)
        if failed is not None:
            # What stands in the room is not to be found yet: whoever asked shall ask again.
            self._rooms.followers.miss()
            unclear = maybe_done()
            unclear.__cause__ = failed
            self._fail(unclear)
            return
        state = self._state
        assert state is not None  # kept since it was sent
        state.version, state.identity = version, identity
        if state.facts:
            state.forget_passing_facts()
        if steps[-1].vacates:
            self._state = None
        self._rooms.marks.committed(self, state, steps, reply)
        for step in steps:
            step.replicated = reply.replicated
        for step in steps:
            for news in step.news:
                if news.run.whole or not news.first:
                    self._rooms.followers.tell(news)
        if steps is self._steps:
            self._settle()
        else:
            self._compute(looked=True)

    def _settle(self) -> None:
        steps, self._steps = self._steps, []
        batch, self._batch = self._batch, []
        for step in steps:
            for finish in step.finish:
                finish()
        for operation in batch:
            if isinstance(operation.error, Moved):
                self._rooms.seek(self.tenant, operation.error.run_id, operation.error.apply, operation.future)
            else:
                operation.settle()
        link = self._rooms.link
        for step in steps:
            for command in step.cleanup:
                # What is left behind is found, and removed, by whoever comes upon it.
                link.call(*command, key=command[1]).add_done_callback(_ignore)
            for action in step.then:
                action()
        self._go_on()

    def _go_on(self) -> None:
        if self._pending:
            self._due = True
            self._rooms.begin_soon(self)
        elif not self.session_id and (self._state is None or not self._state.runs):
            self._rooms.forget(self)

    def _again(self, *, known: bool = False) -> None:
        """Begins anew with the same operations, at once or, when that did not help, after a moment."""
        self._steps = []
        if not known:
            self._state = None
        self._tries += 1
        if self._tries > _MOST_TRIES:
            self._fail(Unavailable("too many others change this run now; nothing was written", reason="CONTENDED"))
        elif self._tries > _TRIES_AT_ONCE:
            pause = random.uniform(0.0, min(0.001 * 2 ** min(self._tries, 7), 0.1))
            asyncio.get_running_loop().call_later(pause, self._compute_again)
        else:
            self._compute(looked=True)

    def _compute_again(self) -> None:
        self._compute(looked=True)

    def _fail(self, error: Exception) -> None:
        batch, self._batch = self._batch, []
        self._steps = []
        self._state = None
        for operation in batch:
            operation.fail(error)
        self._go_on()


def _ignore(future: Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
