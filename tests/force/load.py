"""Load on a state layer, by writers that repeat what was not answered and readers that check all they see."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TypeVar

import grpc.aio

from penstock.run_log.reader import LogReader
from penstock.v1.run_log_pb2 import (
    AppendEventsEntry,
    AppendEventsRequest,
    AppendOutcome,
    ReadRunsRequest,
    RecordOutcome,
    RecordRunsRequest,
    RunName,
)
from penstock.v1.run_pb2 import Durability
from penstock.v1.session_pb2 import ReadMessagesRequest
from tests.force.following import (
    AGAIN,
    PAUSE,
    TENANT,
    Lost,
    common_with,
    follow_by_reading,
    follow_by_tail,
    read_whole,
)
from tests.force.history import History, PromiseBroken, check_whole
from tests.force.replica import Door
from tests.state import entries as e

T = TypeVar("T")
_CALL_SECONDS = 5.0
# More than a session keeps.
_KEPT_MESSAGES = 200
# As long as a lease may be, so that no load outlives it.
_LEASE_SECONDS = 300.0
# An owner's silence of 10 s, and what a busy machine may take for the rest.
_TAKEN_OVER_SECONDS = 40.0
_KEPT = frozenset({AppendOutcome.APPEND_OUTCOME_APPENDED, AppendOutcome.APPEND_OUTCOME_REPEATED})


@dataclass
class Load:
    """Writes runs through any of several state processes while readers follow them, and remembers what was told.

    Half of the writers write runs of one session each, one turn after another. With `lossless` nothing acknowledged
    may be missing in the end; without, what is missing must lie beyond the last common number of a newer generation,
    and no session is used, since a run whose end is missing would hold it up.
    With `forgetful` each run is verified when it has ended, and no more remembered.
    """

    doors: Sequence[Door]
    dice: random.Random
    name: str = "load"
    writers: int = 8
    lossless: bool = True
    forgetful: bool = False
    durability: Durability = Durability.DURABILITY_UNSPECIFIED
    histories: list[History] = field(default_factory=list)
    said: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Writes and reads until told to stop; runs that are going on then are brought to their end."""
        await self.insist(lambda door: e.lease(door, ttl=_LEASE_SECONDS))
        async with AsyncExitStack() as stack:
            readers = [await stack.enter_async_context(LogReader(door.log)) for door in self.doors]
            async with asyncio.TaskGroup() as group:
                for number in range(self.writers):
                    group.create_task(self._write(number, readers, stop))

    async def progress(self, entries: int, within: float = 60.0) -> None:
        """Waits until so many more entries were acknowledged."""
        wanted = self.counts["entries"] + entries
        try:
            async with asyncio.timeout(within):
                while self.counts["entries"] < wanted:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise PromiseBroken(f"the load came to a standstill: {dict(self.counts)}") from None

    async def is_kept_waiting(self, within: float = 60.0) -> None:
        """Waits until a writer was told that its entry is stored but not yet safe."""
        before = self.counts["not yet durable"]
        async with asyncio.timeout(within):
            while self.counts["not yet durable"] == before:
                self._moved.clear()
                await self._moved.wait()

    async def insist(self, call: Callable[[Door], Awaitable[T]]) -> T:
        """Makes a call until it is answered, each time at any of the processes."""
        while True:
            try:
                return await call(self.dice.choice(self.doors))
            except grpc.aio.AioRpcError as error:
                if error.code() not in AGAIN:
                    raise PromiseBroken(f"a caller was told {error.code().name}: {error.details()}") from error
                self.counts["unanswered"] += 1
                await asyncio.sleep(PAUSE * self.dice.uniform(0.5, 1.5))

    async def verify(self) -> None:
        """Checks everything that was ever told against what every process says now."""
        if not self.lossless:
            await self._take_over()
        for history in self.histories:
            for door in self.doors:
                await self._verify_run(door, history)
        for session_id, said in self.said.items():
            request = ReadMessagesRequest(tenant=TENANT, session_id=session_id, page_size=1000)
            told = await self.insist(lambda door: door.sessions.ReadMessages(request))  # noqa: B023 - awaited at once
            ids = [message.message_id for message in told.messages]
            if self.lossless and (not ids or ids != said[-len(ids) :]):
                raise PromiseBroken(f"{session_id} has the messages {ids}, and was told {said[-len(ids) :]}")

    def __str__(self) -> str:
        """What was done, for people."""
        grown = sum(len(history.generations()) > 1 for history in self.histories)
        return f"{dict(self.counts)}, {grown} runs of more than one generation"

    async def _take_over(self) -> None:
        """Ends the runs whose end was lost after all had been told of it: the store gives them to who claims."""
        async with asyncio.timeout(_TAKEN_OVER_SECONDS):
            while lost := [history.run_id for history in self.histories if not await self._has_ended(history.run_id)]:
                self.counts["ends lost"] = max(self.counts["ends lost"], len(lost))
                await self.insist(lambda door: e.lease(door, "heir", ttl=_LEASE_SECONDS))
                claimed = await self.insist(lambda door: e.claim(door, "heir", wait=1.0))
                for run in claimed.runs:
                    run_id, epoch = run.record.run.run_id, run.record.epoch
                    end = e.append_entry(
                        run_id, e.run_finished(), epoch=epoch, step="", writer=f"{run_id}:heir", number=1
                    )
                    await self.insist(lambda door: e.append(door, end))  # noqa: B023 - awaited at once

    async def _has_ended(self, run_id: str) -> bool:
        names = [RunName(tenant=TENANT, run_id=run_id)]
        told = await self.insist(lambda door: door.log.ReadRuns(ReadRunsRequest(runs=names, run_only=True)))
        return not told.records or told.records[0].run.HasField("finish_time")

    async def _write(self, number: int, readers: Sequence[LogReader], stop: asyncio.Event) -> None:
        session = f"{self.name}-session-{number}" if number % 2 and self.lossless else ""
        turn = 0
        while not stop.is_set():
            turn += 1
            history = History(f"{self.name}-{number}-{turn}")
            self.histories.append(history)
            async with asyncio.TaskGroup() as group:
                await self._record(history.run_id, session)
                following = [follow_by_tail(self.dice.choice(readers), history)]
                if turn % 2:
                    following.append(follow_by_reading(lambda: self.dice.choice(self.doors), history))
                tasks = [group.create_task(self._follow(one)) for one in following]
                await self._append_all(history, session, tasks)
            self.counts["runs"] += 1
            if self.forgetful:
                await self._verify_run(self.dice.choice(self.doors), history)
                self.histories.remove(history)
                del self.said.get(session, [])[:-_KEPT_MESSAGES]

    async def _record(self, run_id: str, session: str) -> None:
        entry = e.record_entry(run_id, session=session)
        entry.spec.durability = self.durability
        while True:
            response = await self.insist(
                lambda door: door.log.RecordRuns(RecordRunsRequest(entries=[entry]), timeout=_CALL_SECONDS)
            )
            result = response.results[0]
            started = RecordOutcome.RECORD_OUTCOME_STARTED, RecordOutcome.RECORD_OUTCOME_EXISTING
            if result.outcome not in started or result.record.owner_instance_id != e.OWNER:
                raise PromiseBroken(f"{run_id} was to start, and was answered {result}")
            if result.durable or self.durability != Durability.DURABILITY_REPLICA:
                break
            await asyncio.sleep(PAUSE)
        if session:
            self._expect(session, f"{run_id}:user")

    async def _follow(self, following: Awaitable[None]) -> None:
        try:
            await following
        except Lost:
            if self.lossless:
                raise PromiseBroken("a run that was recorded is not found") from None
            self.counts["readers of lost runs"] += 1

    async def _append_all(self, history: History, session: str, readers: Sequence[asyncio.Task[None]]) -> None:
        entries = self.dice.randint(5, 40)
        sent: list[tuple[int, AppendEventsEntry, list[str]]] = []
        for number in range(1, entries + 1):
            texts = [f"{number}.{place}" for place in range(self.dice.randint(1, 4))]
            entry = e.append_entry(history.run_id, *map(e.token, texts), writer=f"{history.run_id}:w", number=number)
            if number == entries:
                entry.events.extend([e.step_finished(), e.run_finished(output_step="main")])
                if session:
                    entry.session_messages.append(e.message(f"{history.run_id}:answer", "done"))
            sent.append((number, entry, texts))
            await self._append(history, sent, session)
            if self.dice.random() < 0.1:
                # A repeat of what was acknowledged long ago, as after a lost answer.
                await self._append(history, sent, session, again=True)
        if session:
            self._expect(session, f"{history.run_id}:answer")
        # What was acknowledged may be lost, and then nobody else would end the run that its readers wait for.
        while not self.lossless and any(not reader.done() for reader in readers):
            await self._append(history, sent, session, again=True)
            await asyncio.sleep(PAUSE)

    async def _append(
        self,
        history: History,
        sent: Sequence[tuple[int, AppendEventsEntry, Sequence[str]]],
        session: str,
        *,
        again: bool = False,
    ) -> None:
        """Appends the last of a writer's entries, and those before it again where the log has lost them."""
        *before, (number, entry, texts) = sent
        while True:
            response = await self.insist(
                lambda door: door.log.AppendEvents(AppendEventsRequest(entries=[entry]), timeout=_CALL_SECONDS)
            )
            result = response.results[0]
            if result.outcome == AppendOutcome.APPEND_OUTCOME_NOT_FOUND and not self.lossless:
                self.counts["recorded anew"] += 1
                await self._record(history.run_id, session)
                continue
            if result.outcome == AppendOutcome.APPEND_OUTCOME_OUT_OF_ORDER and before and not self.lossless:
                self.counts["written anew"] += 1
                await self._append(history, before, session, again=True)
                continue
            if result.outcome not in _KEPT:
                raise PromiseBroken(f"{history.run_id}: entry {number} was refused: {result}")
            if again and self.lossless and result.outcome != AppendOutcome.APPEND_OUTCOME_REPEATED:
                raise PromiseBroken(f"{history.run_id}: entry {number} was taken a second time: {result}")
            if result.outcome == AppendOutcome.APPEND_OUTCOME_REPEATED:
                self.counts["repeated"] += 1
            if result.durable_sequence >= result.last_sequence:
                break
            self.counts["not yet durable"] += 1
            self._moved.set()
            await asyncio.sleep(PAUSE)
        history.kept(number, result, texts)
        self.counts["entries"] += 1
        self._moved.set()

    def _expect(self, session: str, message_id: str) -> None:
        self.said.setdefault(session, []).append(message_id)

    async def _verify_run(self, door: Door, history: History) -> None:
        try:
            generation, log = await read_whole(door, history.run_id)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND and not self.lossless:
                return
            raise PromiseBroken(f"{history.run_id} can't be read: {error.details()}") from error
        check_whole(history.run_id, log)
        history.agrees_with(log, generation, history.newest(generation))
        for older in history.generations() - {generation}:
            newest = history.newest(older)
            common = await common_with(door, history.run_id, older, newest)
            self.counts["events lost"] += newest - common
            if older > generation or (self.lossless and common < newest):
                raise PromiseBroken(
                    f"{history.run_id}: generation {older} had {newest} events, and {generation} kept {common} of them"
                )
            history.agrees_with(log, older, common)
