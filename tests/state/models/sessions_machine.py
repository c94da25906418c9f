"""Conversations against lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import rule

from penstock.v1 import session_pb2 as pb
from penstock.v1.run_pb2 import Content
from tests.state.models.choices import REPLICA, SELDOM
from tests.state.models.machine import StoreMachine
from tests.state.models.served import Served

HISTORY_LIMIT = 6
_TOOL = pb.MessageRole.MESSAGE_ROLE_TOOL
_tenants = count()

SESSION = st.sampled_from(["s", "s:1"])
# The next new message, more often than one that was sent before.
MESSAGE = st.tuples(
    st.sampled_from([None, None, None, None, 1, 2, 5, 8, 13]),
    st.sampled_from([pb.MessageRole.MESSAGE_ROLE_USER, pb.MessageRole.MESSAGE_ROLE_ASSISTANT, _TOOL]),
    st.sampled_from(["", "", "run-1", "run-2", "run-3"]),
)


@dataclass
class Talk:
    """Represents what a session should be: all its messages, those apart that were cut, and its free data."""

    first: int = 0
    messages: list[tuple[str, int, str]] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    data: str = ""
    version: int = 0

    def index(self, message_id: str) -> int | None:
        """The place of a message, kept or cut."""
        return next((place for place, (known, _, _) in enumerate(self.messages) if known == message_id), None)

    def append(self, message: tuple[str, int, str]) -> None:
        """Takes a new message: it begins a turn, unless a tool says it or its run has a turn that is kept."""
        _, role, run_id = message
        index = len(self.messages)
        self.messages.append(message)
        kept = range(self.first, index)
        earlier = next((place for place in kept if run_id and self.messages[place][2] == run_id), None)
        if earlier is not None:
            # Messages of one run are kept or cut together, and with them all that was said in between.
            self.turns = [turn for turn in self.turns if turn <= earlier]
        elif role != _TOOL:
            self.turns.append(index)

    def cut(self) -> None:
        """Forgets the oldest turns; the newest is kept however long it is."""
        if len(self.messages) - self.first > HISTORY_LIMIT and self.turns:
            fitting = [turn for turn in self.turns if turn >= len(self.messages) - HISTORY_LIMIT]
            self.first = max(self.first, fitting[0] if fitting else self.turns[-1])
            self.turns = [turn for turn in self.turns if turn >= self.first]


class SessionsMachine(StoreMachine):
    """Does to two sessions what it does to lists, and compares."""

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        self.tenant = f"t{next(_tenants)}"
        self.talks: dict[str, Talk] = {}
        self.newest: dict[str, int] = {}
        self.numbers = count()

    @rule(
        at=REPLICA,
        session=SESSION,
        messages=st.lists(MESSAGE, min_size=1, max_size=5),
        expected=st.sampled_from([None, None, "right", "wrong"]),
    )
    def append(self, at: int, session: str, messages: list[tuple[int | None, int, str]], expected: str | None) -> None:
        """Appends new messages and some that were sent before."""
        talk = self.talks.get(session, Talk())
        request = pb.AppendMessagesRequest(tenant=self.tenant, session_id=session)
        new: list[tuple[str, int, str]] = []
        for back, role, run_id in messages:
            name = f"m{next(self.numbers)}"
            if back is not None and back <= len(talk.messages):
                name, role, run_id = talk.messages[-back]
            else:
                new.append((name, role, run_id))
            request.messages.add(message_id=name, role=role, run_id=run_id, content=[Content(text=name)])
        following = len(talk.messages)
        if expected:
            request.expected_index = following if expected == "right" else following + 1
        answer = self.served.ask(lambda house: house.sessions.AppendMessages(request), at)
        if new and expected == "wrong":
            assert answer == pb.AppendMessagesResponse(applied=False, next_index=following)
            return
        for message in new:
            talk.append(message)
        places = [talk.index(message.message_id) for message in request.messages]
        talk.cut()
        self.talks[session] = talk
        assert answer.applied
        assert list(answer.indexes) == places
        assert answer.next_index == len(talk.messages)
        self._look(at, session)

    @rule(at=REPLICA, session=SESSION, expected=st.sampled_from([None, "right", "wrong"]), data=st.integers())
    def update(self, at: int, session: str, expected: str | None, data: int) -> None:
        """Writes the free data, under a condition or none."""
        talk = self.talks.get(session)
        version = talk.version if talk else 0
        request = pb.UpdateSessionRequest(tenant=self.tenant, session_id=session, data_json=f'{{"n": {data}}}')
        if expected:
            request.expected_version = version if expected == "right" else version + 1
        answer = self.served.ask(lambda house: house.sessions.UpdateSession(request), at)
        assert answer.applied == (expected != "wrong")
        if expected == "wrong":
            assert answer.version == version
            return
        assert answer.version > self.newest.get(session, 0), "a version came twice"
        self.newest[session] = answer.version
        talk = self.talks.setdefault(session, Talk())
        talk.data, talk.version = request.data_json, answer.version

    @rule(at=REPLICA, session=SESSION, sure=SELDOM)
    def drop(self, at: int, session: str, sure: bool) -> None:
        """Deletes a session, but not so often that none grows long."""
        if not sure:
            return
        request = pb.DropSessionRequest(tenant=self.tenant, session_id=session)
        answer = self.served.ask(lambda house: house.sessions.DropSession(request), at)
        there = self.talks.pop(session, None) is not None
        assert answer.outcome == (
            pb.DropOutcome.DROP_OUTCOME_DROPPED if there else pb.DropOutcome.DROP_OUTCOME_NOT_FOUND
        )

    @rule(at=REPLICA, session=SESSION)
    def read(self, at: int, session: str) -> None:
        """Reads a session without its messages."""
        self._look(at, session)

    def _look(self, at: int, session: str) -> None:
        request = pb.ReadSessionRequest(tenant=self.tenant, session_id=session)
        answer = self.served.ask(lambda house: house.sessions.ReadSession(request), at)
        talk = self.talks.get(session)
        assert answer.HasField("session") == (talk is not None)
        if talk is not None:
            found = answer.session
            assert (found.first_index, found.next_index) == (talk.first, len(talk.messages))
            assert (found.data_json, found.data_version) == (talk.data, talk.version)

    @rule(
        at=REPLICA,
        session=SESSION,
        begin=st.integers(0, 20),
        end=st.one_of(st.none(), st.integers(0, 20)),
        size=st.integers(1, 5),
        newest_first=st.booleans(),
    )
    def page(self, at: int, session: str, begin: int, end: int | None, size: int, newest_first: bool) -> None:
        """Reads messages from somewhere, forwards or backwards."""
        request = pb.ReadMessagesRequest(
            tenant=self.tenant,
            session_id=session,
            from_index=begin,
            before_index=end,
            page_size=size,
            newest_first=newest_first,
        )
        answer = self.served.ask(lambda house: house.sessions.ReadMessages(request), at)
        talk = self.talks.get(session, Talk())
        wanted = list(range(len(talk.messages)))[max(begin, talk.first) : end]
        if newest_first:
            wanted.reverse()
        assert [message.index for message in answer.messages] == wanted[:size]
        assert answer.more == (len(wanted) > size)
        for message in answer.messages:
            assert (message.message_id, message.role, message.run_id) == talk.messages[message.index]
            assert message.content[0].text == message.message_id
