"""How far runs that are to survive a failover have reached the replicas."""

import asyncio
from collections.abc import Iterable, Sequence, Set
from functools import partial
from typing import Final

from penstock.state.redis.link import Link
from penstock.state.redis.log_followed import Followers
from penstock.state.redis.room_commits import Room
from penstock.state.redis.room_script import MARK
from penstock.state.redis.room_state import RoomState
from penstock.state.redis.room_step import RunNews, Step, Word
from penstock.state.redis.scripts import Reply
from penstock.wire.errors import PenstockError

_PAUSE_S: Final = (0.05, 1.0)


class DurableMarks:
    """Raises the marks of what readers may see, and has another look where too few replicas had confirmed a commit."""

    def __init__(self, link: Link, followers: Followers) -> None:
        self._link = link
        self._followers = followers
        # By their names alone: what is known of them may be another server's, and not hold on the one that confirms.
        self._short: dict[Room, set[str]] = {}
        self._some = asyncio.Event()

    def committed(self, room: Room, state: RoomState, steps: Sequence[Step], reply: Reply) -> None:
        """Takes in that a commit, and so all before it in its room, has or has not reached a majority."""
        if not any(step.replicate for step in steps):
            return
        runs = [*state.runs.values(), *(run for step in steps for run in step.edited)]
        behind = [run for run in runs if not run.whole]
        if not reply.replicated:
            self._come_back(room, {run.head.run_id for run in behind})
            return
        # Those that have ended are not among what is known before somebody asks for them.
        self._come_back(room, self._short.pop(room, set()).difference(run.head.run_id for run in runs))
        if not behind:
            return
        arguments: list[Word] = [state.identity]
        for run in behind:
            run.durable, run.recorded = run.head.last_sequence, True
            # The field goes from the room with the run's end.
            hash_, field = (run.keys.fixed, b"d") if run.head.finished else (room.key, run.keys.durable)
            arguments += [hash_, field, run.head.last_sequence]
        # Not waited for: a mark that is lost hides events a little longer, until somebody has another look.
        keys = tuple(dict.fromkeys((room.key, *(run.keys.fixed for run in behind if run.head.finished))))
        self._link.run(MARK, keys, arguments).add_done_callback(_ignore)
        told = {news.run.head.run_id for step in steps for news in step.news if news.first}
        for run in behind:
            if run.head.run_id not in told:
                self._followers.tell(RunNews(run, 0, 0, lifecycle=True, signals=True, events=(), packed=b""))

    def is_short(self, room: Room, run_id: str) -> None:
        """Has another look at a run of which somebody has found that not all is confirmed."""
        self._come_back(room, {run_id})

    def _come_back(self, room: Room, run_ids: Set[str]) -> None:
        if run_ids:
            self._short.setdefault(room, set()).update(run_ids)
            self._some.set()

    async def confirm(self) -> None:
        """Tries again, for ever, to have what is short confirmed."""
        pause = _PAUSE_S[0]
        while True:
            await self._some.wait()
            await asyncio.sleep(pause)
            short, self._short = self._short, {}
            async with asyncio.TaskGroup() as group:
                for room, run_ids in short.items():
                    group.create_task(self._ask(room, run_ids))
            if self._short:
                pause = min(2 * pause, _PAUSE_S[1])
            else:
                pause = _PAUSE_S[0]
                self._some.clear()

    async def _ask(self, room: Room, run_ids: Set[str]) -> None:
        try:
            await room.submit(partial(confirm_runs, run_ids))
        except PenstockError:
            self._come_back(room, run_ids)


def _ignore(future: asyncio.Future[Reply]) -> None:
    if not future.cancelled():
        future.exception()


def confirm(step: Step) -> None:
    """Writes to a room, so that the replicas can be asked for all that is in it."""
    step.replicate = True
    step.touch()


def confirm_runs(run_ids: Iterable[str], step: Step) -> None:
    """Does so for these runs too where they have ended; not where the whole room was lost, which it would make anew."""
    if not step.state.version:
        return
    for run_id in run_ids:
        run = step.run(run_id)
        if run is not None and run.head.finished and not run.whole:
            step.add(run)
    confirm(step)
