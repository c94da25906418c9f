"""What time asks of rooms: sessions that nobody uses, logs to be trimmed, runs to be removed, indexes to be mended."""

from collections.abc import Awaitable, Callable, Sequence

from penstock.state.redis.index_repair import IndexRepair
from penstock.state.redis.leases import Leases
from penstock.state.redis.log_retention import LogRetention
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_indexes import RunIndexes
from penstock.state.redis.run_retention import RunRetention
from penstock.state.redis.session_expiry import SessionExpiry
from penstock.state.redis.session_history import SessionHistory
from penstock.state.settings import StateSettings


class RoomSweeps:
    """Does a bounded piece of each at a time; any number of processes may do so at once."""

    def __init__(
        self, rooms: Rooms, indexes: RunIndexes, history: SessionHistory, leases: Leases, settings: StateSettings
    ) -> None:
        logs = LogRetention(rooms, indexes, settings)
        self.all: Sequence[Callable[[], Awaitable[bool]]] = (
            SessionExpiry(rooms, history).sweep,
            logs.sweep,
            RunRetention(rooms, indexes, logs, settings).sweep,
            IndexRepair(rooms.link, indexes, history, leases).sweep,
        )
