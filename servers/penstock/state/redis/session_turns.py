"""Where the turns of a conversation begin.

There is a row for each run that speaks in a session, and for each message that belongs to none: where it began to
speak, and where the turn begins that it is part of. Rows that begin their turn are where a history may be cut.
"""

from bisect import bisect_left
from collections.abc import Sequence

from penstock.v1.session_pb2 import MESSAGE_ROLE_TOOL, SessionMessage


class Turns:
    """Holds the rows in order of their places."""

    def __init__(self) -> None:
        self._places: list[int] = []
        self._firsts: list[int] = []
        self._runs: list[str] = []
        self._place_of: dict[str, int] = {}

    @classmethod
    def read(cls, flat: Sequence[bytes]) -> "Turns":
        """Reads rows as they are stored: places and, packed, all else."""
        turns = cls()
        rows = {int(place): row.decode() for place, row in zip(flat[::2], flat[1::2], strict=True)}
        for place in sorted(rows):
            first, run_id = rows[place].split(" ", 1)
            turns._add(place, int(first), run_id)
        return turns

    def note(self, first_index: int, message: SessionMessage) -> list[tuple[int, str]]:
        """Notes which turn the newest message belongs to; returns the rows that are to be stored.

        One of a run that has spoken goes with what that run said, and all between; what a tool says goes with what
        stands before it; everything else begins a turn.
        """
        run_id = message.run_id
        place = self._place_of.get(run_id, -1) if run_id else -1
        if place >= first_index:
            return self._merge(self._firsts[bisect_left(self._places, place)])
        first = message.index
        if message.role == MESSAGE_ROLE_TOOL and self._places and self._places[-1] >= first_index:
            first = self._firsts[-1]
            if not run_id:
                return []
        self._add(message.index, first, run_id)
        return [(message.index, f"{first} {run_id}")]

    def first_to_keep(self, wanted: int) -> int:
        """Returns where the first turn begins that does so at an index or later, else the newest one."""
        for at in range(bisect_left(self._places, wanted), len(self._places)):
            if self._firsts[at] == self._places[at]:
                return self._places[at]
        return self._firsts[-1] if self._firsts else 0

    def cut(self, first: int) -> list[int]:
        """Forgets what stands before an index; returns the places of those rows."""
        until = bisect_left(self._places, first)
        gone = self._places[:until]
        for run_id in self._runs[:until]:
            self._place_of.pop(run_id, None)
        del self._places[:until], self._firsts[:until], self._runs[:until]
        return gone

    def _add(self, place: int, first: int, run_id: str) -> None:
        self._places.append(place)
        self._firsts.append(first)
        self._runs.append(run_id)
        if run_id:
            self._place_of[run_id] = place

    def _merge(self, first: int) -> list[tuple[int, str]]:
        changed: list[tuple[int, str]] = []
        # Turns only grow together at the end, so the rows to change are the last ones.
        for at in range(len(self._places) - 1, -1, -1):
            if self._places[at] <= first or self._firsts[at] <= first:
                break
            self._firsts[at] = first
            changed.append((self._places[at], f"{first} {self._runs[at]}"))
        return changed
