"""The newest events of runs, kept in memory for those who follow them."""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from penstock.state.stores import LogState
from penstock.v1.run_event_pb2 import RunEvent

# In bytes of packed events. In memory they take about four times as much, and the garbage collector looks at each
# chunk time and again: 20,000 of them are 10 ms in which nothing else happens.
_MOST_BYTES: Final = 512 * 1024
_MOST_BYTES_OF_A_RUN: Final = 128 * 1024


class Chunk(NamedTuple):
    """Represents the events of one entry, as committed; `size` is that of their packed form."""

    first: int
    last: int
    lifecycle: bool
    size: int
    events: Sequence[RunEvent]


@dataclass(slots=True, eq=False)
class RecentRun:
    """Represents the committed end of one run's log: how far it is, and its newest chunks without a gap."""

    number: int
    generation: int
    state: LogState = field(default_factory=lambda: LogState(0, finished=False))
    chunks: deque[Chunk] = field(default_factory=deque)
    size: int = 0

    def reaches_back_to(self, sequence: int) -> bool:
        """Tells whether the event of this number, or the next one to come, is among the chunks."""
        return sequence > self.state.last_sequence or (bool(self.chunks) and self.chunks[0].first <= sequence)

    def since(self, sequence: int) -> Iterator[Chunk]:
        """Yields the chunks with events from this number on, oldest first."""
        # From the end, where followers mostly are.
        newer: list[Chunk] = []
        for chunk in reversed(self.chunks):
            if chunk.last < sequence:
                break
            newer.append(chunk)
        return reversed(newer)


class RecentRuns:
    """Keeps what was committed lately, so that following a run that goes on asks nothing of the file.

    Whatever is not here is read from the file, so forgetting is always right.
    """

    def __init__(self, most_runs: int) -> None:
        self._most_runs = most_runs
        self._runs: OrderedDict[tuple[str, str], RecentRun] = OrderedDict()
        self._size = 0

    def get(self, tenant: str, run_id: str) -> RecentRun | None:
        """Returns what is known of a run."""
        return self._runs.get((tenant, run_id))

    def forget(self, name: tuple[str, str]) -> None:
        """Has the file asked about a run from now on."""
        run = self._runs.pop(name, None)
        if run is not None:
            self._size -= run.size

    def grow(self, name: tuple[str, str], number: int, generation: int, state: LogState, chunk: Chunk) -> None:
        """Adds a chunk to a run's log; to be called once it is committed, in the order of the log."""
        run = self._runs.get(name)
        if run is None:
            run = self._runs[name] = RecentRun(number, generation)
        else:
            self._runs.move_to_end(name)
        run.state = state
        run.chunks.append(chunk)
        run.size += chunk.size
        self._size += chunk.size
        while run.size > _MOST_BYTES_OF_A_RUN:
            dropped = run.chunks.popleft().size
            run.size -= dropped
            self._size -= dropped
        while len(self._runs) > self._most_runs or self._size > _MOST_BYTES:
            _, forgotten = self._runs.popitem(last=False)
            self._size -= forgotten.size
