"""The state layer as a whole: built from its settings, started, and stopped."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from penstock.state.admin_service import AdminService
from penstock.state.events_service import EventsService
from penstock.state.limits_service import LimitsService
from penstock.state.open_store import open_store
from penstock.state.ownership_service import OwnershipService
from penstock.state.run_log_service import RunLogService
from penstock.state.sessions_service import SessionsService
from penstock.state.settings import StateSettings
from penstock.state.stores import Store
from penstock.state.sweeping import sweeping
from penstock.state.values_service import ValuesService
from penstock.wire.errors import ResourceExhausted


@dataclass(frozen=True, slots=True)
class StateLayer:
    """Represents a running state layer."""

    values: ValuesService
    sessions: SessionsService
    run_log: RunLogService
    ownership: OwnershipService
    events: EventsService
    limits: LimitsService
    admin: AdminService
    store: Store

    async def check(self) -> str:
        """Writes to and reads from the store; returns how that went in words, or raises.

        A store that is full serves all the same: it can be read.
        """
        try:
            return await self.store.check()
        except ResourceExhausted as full:
            return f"can only be read: {full.message}"


@asynccontextmanager
async def open_state(settings: StateSettings) -> AsyncGenerator[StateLayer]:
    """Opens the store and serves it for the block.

    Raises:
        ValueError: the settings name no store, or one of something else or of a newer version.
        RuntimeError: another process has it.
    """
    async with open_store(settings) as store, sweeping(store, settings.sweep_seconds):
        yield StateLayer(
            values=ValuesService(store.values),
            sessions=SessionsService(store.sessions),
            run_log=RunLogService(store.runs, settings),
            ownership=OwnershipService(store.ownership),
            events=EventsService(store.topics, settings),
            limits=LimitsService(store.limits),
            admin=AdminService(store),
            store=store,
        )
