"""What concurrent clients do to few objects, so that they meet often."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import grpc
import grpc.aio

from penstock.v1 import session_pb2, state_pb2
from penstock.v1.ownership_pb2 import ClaimRunsRequest
from penstock.v1.run_log_pb2 import AppendOutcome, ReadRunsRequest, RunName
from penstock.v1.run_pb2 import RunState
from tests.linearizability.claims import Claim, Finish, GiveBack, Record
from tests.linearizability.conversations import Append, Read
from tests.linearizability.history import History
from tests.linearizability.registers import Delete, Get, Set, Swap
from tests.linearizability.sites import Site
from tests.state import entries as e
from tests.state.house import House

Steps = Callable[[History, str, House, Random], Awaitable[None]]
_BREAK_EVERY = 12


async def play(site: Site, seed: int, client: Steps, steps: int) -> History:
    """Lets all clients of a site do steps of their own at the same time, connections breaking where the site can."""
    history = History()

    async def act(number: int, house: House) -> None:
        chance = Random(f"{seed}/{number}")
        for step in range(steps):
            if site.breaks and (step * len(site.clients) + number) % _BREAK_EVERY == _BREAK_EVERY - 1:
                site.break_one(chance)
            await client(history, f"client-{number}", house, chance)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number, house in enumerate(site.clients):
            group.create_task(act(number, house))
    return history


class ValueClient:
    """Reads, writes, deletes and swaps two keys, by versions it has seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], int] = {}

    async def __call__(self, history: History, name: str, house: House, chance: Random) -> None:
        """Does one step."""
        key = chance.choice(["k1", "k2"])
        seen = self._seen.get((name, key), 0)
        data = b"%s-%d" % (name.encode(), chance.getrandbits(60))
        about = {"tenant": e.TENANT, "key": key}
        kind = chance.choice(["get", "get", "set", "swap", "swap", "swap", "delete"])
        answer: object
        if kind == "get":
            async with history.asking(name, {key: Get()}) as asked:
                value = (await house.values.GetValue(state_pb2.GetValueRequest(**about))).value
                self._seen[name, key] = value.version
                answer = (value.data, value.version) if value.version else None
                asked.answers = {key: answer}
        elif kind == "set":
            async with history.asking(name, {key: Set(data)}) as asked:
                version = (await house.values.SetValue(state_pb2.SetValueRequest(data=data, **about))).version
                asked.answers, asked.did = {key: version}, True
        elif kind == "delete":
            async with history.asking(name, {key: Delete(seen)}) as asked:
                deleted = await house.values.DeleteValue(state_pb2.DeleteValueRequest(version=seen, **about))
                asked.answers = {key: (deleted.deleted, deleted.current_version)}
                asked.did = deleted.deleted
        else:
            condition = {"version_is": seen} if seen else {"must_not_exist": True}
            async with history.asking(name, {key: Swap(data, seen)}) as asked:
                request = state_pb2.CompareAndSetValueRequest(data=data, **about, **condition)
                swapped = await house.values.CompareAndSetValue(request)
                self._seen[name, key] = swapped.version
                asked.answers, asked.did = {key: (swapped.applied, swapped.version)}, swapped.applied


class SessionClient:
    """Appends new messages and old ones again to two sessions, with and without an expected index, and reads them."""

    def __init__(self) -> None:
        self._sent: list[str] = []
        self._next: dict[str, int] = {}

    async def __call__(self, history: History, name: str, house: House, chance: Random) -> None:
        """Does one step."""
        session = chance.choice(["s1", "s2"])
        about = {"tenant": e.TENANT, "session_id": session}
        if chance.random() < 0.3:
            async with history.asking(name, {session: Read()}) as asked:
                request = session_pb2.ReadMessagesRequest(page_size=1000, **about)
                messages = (await house.sessions.ReadMessages(request)).messages
                assert [message.index for message in messages] == list(range(len(messages)))
                self._next[session] = len(messages)
                asked.answers = {session: tuple(message.message_id for message in messages)}
            return
        ids = [f"{name}-{chance.getrandbits(60)}" for _ in range(chance.choice([1, 1, 2]))]
        if self._sent and chance.random() < 0.3:
            ids.append(chance.choice(self._sent))
        self._sent += ids
        expected = self._next.get(session, 0) if chance.random() < 0.3 else None
        async with history.asking(name, {session: Append(tuple(ids), expected)}) as asked:
            appended = await house.sessions.AppendMessages(
                session_pb2.AppendMessagesRequest(
                    messages=[e.message(each) for each in ids], expected_index=expected, **about
                )
            )
            self._next[session] = appended.next_index
            asked.answers = {session: (appended.applied, tuple(appended.indexes), appended.next_index)}
            asked.did = appended.applied


class ClaimClient:
    """Records runs, claims what there is, ends some and gives others back; each client is an instance."""

    def __init__(self, runs: int) -> None:
        self.runs = [f"run-{number}" for number in range(runs)]
        self._unrecorded = list(self.runs)
        self._owned: dict[str, dict[str, int]] = {}

    async def __call__(self, history: History, name: str, house: House, chance: Random) -> None:
        """Does one step."""
        owned = self._owned.setdefault(name, {})
        kind = chance.choice(["record", "claim", "claim", "finish", "give back"])
        if kind == "record" and self._unrecorded:
            run_id = self._unrecorded.pop()
            async with history.asking(name, {run_id: Record()}) as asked:
                await e.record(house, e.record_entry(run_id, owner=""))
                asked.answers, asked.did = {run_id: True}, True
        elif kind == "finish" and owned:
            run_id, epoch = owned.popitem()
            async with history.asking(name, {run_id: Finish(epoch)}) as asked:
                ended = await e.append_as_owner(house, run_id, e.run_finished(RunState.RUN_STATE_FAILED), epoch=epoch)
                asked.did = ended.outcome == AppendOutcome.APPEND_OUTCOME_APPENDED
                asked.answers = {run_id: asked.did}
        elif kind == "give back":
            async with history.asking(name, dict.fromkeys(self.runs, GiveBack(name))) as asked:
                await e.lease(house, name, ttl=0.0)
                asked.answers = dict.fromkeys(self.runs, True)
            # What was given back is remembered at times, as by a process that was paused.
            if chance.random() < 0.5:
                owned.clear()
        else:
            await self._claim(history, name, house, f"claim-{chance.getrandbits(60)}")

    async def _claim(self, history: History, name: str, house: House, claim_id: str) -> None:
        """Claims, and does it again by the same name when the answer is lost."""
        request = ClaimRunsRequest(instance_id=name, max_runs=2, claim_id=claim_id)
        for _ in range(2):
            async with history.asking(name, dict.fromkeys(self.runs, Claim(name))) as asked:
                await e.lease(house, name)
                got = await self._got(house, request)
                self._owned[name].update(got)
                asked.answers, asked.did = {run_id: got.get(run_id) for run_id in self.runs}, bool(got)
                return

    async def _got(self, house: House, request: ClaimRunsRequest) -> dict[str, int]:
        """The epochs of the runs that a claim gets."""
        try:
            claimed = await house.owner.ClaimRuns(request)
        except grpc.aio.AioRpcError as error:
            # A lease that was given back by a call nobody heard of again may lapse now.
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                return {}
            raise
        return {each.record.run.run_id: each.record.epoch for each in claimed.runs}

    async def none_is_stranded(self, house: House, instances: Sequence[str]) -> None:
        """Sees that whoever comes last gets all runs that have not ended, once nobody else has a lease."""
        for instance in instances:
            await e.lease(house, instance, ttl=0.0)
        left = set()
        for run_id in self.runs:
            found = await house.log.ReadRuns(ReadRunsRequest(runs=[RunName(tenant=e.TENANT, run_id=run_id)]))
            left |= {run_id for record in found.records if record.run.state < RunState.RUN_STATE_SUCCEEDED}
        await e.lease(house, "last")
        while left:
            claimed = (await e.claim(house, "last", wait=10.0)).runs
            assert claimed, f"nobody can claim {sorted(left)}"
            left.difference_update(each.record.run.run_id for each in claimed)
