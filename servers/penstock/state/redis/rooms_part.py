"""Runs, sessions and ownership on Redis, put together."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from penstock.state.lifecycle import LifecycleOutbox
from penstock.state.redis.aftermath import Aftermath
from penstock.state.redis.background import background
from penstock.state.redis.claim_candidates import ClaimIndexes
from penstock.state.redis.claim_notes import ClaimNotes
from penstock.state.redis.claiming import Claiming
from penstock.state.redis.errands import Errands
from penstock.state.redis.generations import Generations
from penstock.state.redis.leases import Leases
from penstock.state.redis.link import Link
from penstock.state.redis.listing import Listing
from penstock.state.redis.log_followed import Followed, Followers
from penstock.state.redis.log_reader import LogLooker
from penstock.state.redis.log_writing import LogWriting
from penstock.state.redis.news import RUNS, News
from penstock.state.redis.ownership import RedisOwnership
from penstock.state.redis.recorder import Recorder
from penstock.state.redis.replica import DurableMarks
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_indexes import RunIndexes
from penstock.state.redis.run_outbox import RedisOutbox
from penstock.state.redis.run_reading import RunReader
from penstock.state.redis.run_signals import RunSignals
from penstock.state.redis.runs import RedisRuns
from penstock.state.redis.session_history import SessionHistory
from penstock.state.redis.sessions import RedisSessions
from penstock.state.redis.sweeping import RoomSweeps
from penstock.state.settings import StateSettings
from penstock.state.waiters import Waiters

CLAIMS: Final = b"c"
"""News that something may be there to be claimed."""


@dataclass(frozen=True, slots=True)
class RoomsPart:
    """Holds what lives in rooms; each sweep does a bounded piece and tells whether there is more."""

    runs: RedisRuns
    sessions: RedisSessions
    ownership: RedisOwnership
    lifecycle: LifecycleOutbox
    sweeps: Sequence[Callable[[], Awaitable[bool]]]
    rooms: Rooms
    history: SessionHistory
    claimable: Callable[[], None]


@asynccontextmanager
async def open_rooms(link: Link, news: News, settings: StateSettings) -> AsyncGenerator[RoomsPart]:
    """Serves runs, sessions and ownership for the block."""
    generations = Generations(link)
    await generations.open()
    leases = Leases(link)
    await leases.open()
    waiters = Waiters()
    followers = Followers(
        news, lambda followed: _look(looker, followed), lambda tenant, run_id: rooms.forget_place(tenant, run_id)
    )
    marks = DurableMarks(link, followers)
    rooms = Rooms(link, generations, followers, marks, settings.max_cached_runs)
    reader = RunReader(rooms)
    looker = LogLooker(rooms, reader)
    indexes = RunIndexes(link.keys)

    def claimable() -> None:
        waiters.wake()
        news.publish(CLAIMS, b"")

    def doubt() -> None:
        rooms.forget_places()
        followers.doubt()

    history = SessionHistory(settings, indexes.unused)
    log = LogWriting(history, indexes, settings, link.keeps, claimable)
    signals = RunSignals(log)
    recorder = Recorder(log, signals, history, indexes, link.keeps, claimable)
    claiming = Claiming(history, indexes, claimable)
    notes = ClaimNotes(link)
    candidates = ClaimIndexes(link, indexes, leases, notes)
    ownership = RedisOwnership(rooms, reader, leases, candidates, notes, claiming, signals, waiters, claimable)
    aftermath = Aftermath(link, rooms, leases)
    sweeps = RoomSweeps(rooms, indexes, history, leases, settings)
    async with background() as tasks:
        listing = Listing(link, indexes, reader)
        runs = RedisRuns(rooms, reader, recorder, log, looker, listing, leases, Errands(tasks))
        ends = (
            link.on_renewed(rooms.doubt_all),
            link.on_renewed(aftermath.renewed),
            # What was under way on a connection when it was lost may have been done.
            link.on_renewed(news.miss),
            news.subscribe(RUNS, followers.heard, doubt),
            news.subscribe(CLAIMS, lambda _publisher, _payload: waiters.wake(), waiters.wake),
        )
        tasks.start(leases.serve())
        tasks.start(marks.confirm())
        tasks.start(aftermath.look())
        tasks.start(followers.patrol())
        try:
            sessions = RedisSessions(rooms, history)
            outbox = RedisOutbox(rooms, reader, indexes)
            yield RoomsPart(runs, sessions, ownership, outbox, sweeps.all, rooms, history, claimable)
        finally:
            for end in ends:
                end()
            await leases.close()


def _look(looker: LogLooker, followed: Followed) -> None:
    looker.look(followed)
