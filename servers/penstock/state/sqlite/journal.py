"""The journal: the newest entries of all logs, in memory to be read, and in the file to be found after a crash."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Final

from penstock.state.sqlite.database import Database
from penstock.state.sqlite.journal_entry import Entry, pack
from penstock.state.sqlite.transaction import Transaction

# Bytes in one row: far below what SQLite takes, however much one commit covers.
_MOST_ROW_BYTES: Final = 16 * 1024 * 1024
# What is kept in memory before it is moved on; and again while it is being moved.
_BOUND: Final = 3 * 1024 * 1024
# What an entry takes in memory beside its events.
_ENTRY_BYTES: Final = 400

_Tails = dict[int, list[Entry]]


class Journal:
    """Takes in what is appended to logs, with one row for all that a commit covers.

    That costs a commit a page or two, where a row in each run's own place would cost one a run. Beyond `bound` bytes
    the entries are set aside, to be moved into `logs` run by run (see `folding`); where they lie then is that module's.
    Writers see all entries, readers those that are committed.

    `aside` has what is set aside by run, and `aside_until` the last of its rows, 0 once they are deleted. `size` is
    what was committed since, in bytes of memory.
    """

    def __init__(self, bound: int = _BOUND) -> None:
        self.aside: _Tails = {}
        self.aside_until = 0
        self.size = 0
        self._bound = bound
        self._tails: _Tails = {}
        self._pending: list[Entry] = []
        self._pending_of: Counter[int] = Counter()
        self._last_row = 0

    def define(self, database: Database) -> None:
        """Lets SQL ask for the last sequence of a run, and for the events of the entry that has one of a sequence.

        Both are NULL where the journal doesn't have it.
        """
        database.define("journal_last", 1, self.last_written, for_reader=self.last_committed)
        database.define("journal_events", 2, self.written_events, for_reader=self.committed_events)

    def append(self, transaction: Transaction, entry: Entry) -> None:
        """Adds an entry to its run's log, to be stored with the commit."""
        self._tails.setdefault(entry.run, []).append(entry)
        self._pending.append(entry)
        self._pending_of[entry.run] += 1
        transaction.on_undo(self._undo)
        transaction.before_commit(self._store)

    def since(self, run: int, sequence: int) -> Iterator[Entry]:
        """Yields the committed entries that have events from a sequence on, oldest first."""
        entries: Sequence[Entry] = self._tails.get(run, ())
        for part, end in ((self.aside.get(run, ()), None), (entries, self._committed(run, entries))):
            begin = bisect_left(part, sequence, hi=end, key=attrgetter("last"))
            for entry in islice(part, begin, end):
                if entry.last >= entry.first:
                    yield entry

    def newest(self, run: int) -> Iterator[Entry]:
        """Yields a run's entries, newest first, with those that are not committed."""
        yield from reversed(self._tails.get(run, ()))
        yield from reversed(self.aside.get(run, ()))

    def last_committed(self, run: int) -> int | None:
        """Returns the newest sequence of a run's log that is committed; None: no entry of it is here."""
        entries: Sequence[Entry] = self._tails.get(run, ())
        end = self._committed(run, entries)
        if not end:
            entries = self.aside.get(run, ())
            end = len(entries)
        return entries[end - 1].last if end else None

    def last_written(self, run: int) -> int | None:
        """Returns the newest sequence of a run's log; None: no entry of it is here."""
        newest = next(self.newest(run), None)
        return None if newest is None else newest.last

    def committed_events(self, run: int, sequence: int) -> bytes | None:
        """Returns the events of the committed entry that has the one of this sequence; None: it is not here."""
        entry = next(self.since(run, sequence), None)
        return None if entry is None or entry.first > sequence else entry.events

    def written_events(self, run: int, sequence: int) -> bytes | None:
        """Returns the events of the entry that has the one of this sequence; None: it is not here."""
        for entry in self.newest(run):
            if entry.first <= sequence <= entry.last:
                return entry.events
        return None

    @property
    def overfull(self) -> bool:
        """Whether it is time to set aside what there is."""
        return self.size > self._bound

    def set_aside(self) -> None:
        """Sets all committed entries aside to be moved, unless there still are some from before."""
        if self.aside_until:
            return
        self.aside, self._tails = self._tails, {}
        self.aside_until = self._last_row
        self.size = 0
        for run, number in self._pending_of.items():
            if number:
                committed = self.aside.pop(run)
                self._tails[run] = committed[-number:]
                if committed[:-number]:
                    self.aside[run] = committed[:-number]

    def moved(self, runs: Sequence[int]) -> None:
        """Forgets what was set aside of some runs, because it now lies in `logs`."""
        for run in runs:
            del self.aside[run]

    def emptied(self, until: int) -> None:
        """Ends what `set_aside` began: the rows up to this one are deleted."""
        if self.aside_until == until:
            self.aside_until = 0

    def _committed(self, run: int, entries: Sequence[Entry]) -> int:
        """Returns how many of a run's entries are committed."""
        return len(entries) - self._pending_of[run] if run in self._pending_of else len(entries)

    def _undo(self) -> None:
        entry = self._pending.pop()
        self._pending_of[entry.run] -= 1
        entries = self._tails[entry.run]
        entries.pop()
        if not entries:
            del self._tails[entry.run]

    def _store(self, transaction: Transaction) -> None:
        # All of them may have been undone since.
        size = sum(len(entry.events) for entry in self._pending)
        row = self._last_row
        for entries in _rows(self._pending, size):
            row += 1
            transaction.connection.execute("INSERT INTO journal VALUES (?, ?, ?)", (row, *pack(entries)))
        transaction.on_commit(partial(self._stored, row, size + len(self._pending) * _ENTRY_BYTES))

    def _stored(self, last_row: int, size: int) -> None:
        self._pending.clear()
        self._pending_of.clear()
        self._last_row = last_row
        self.size += size


def _rows(entries: Sequence[Entry], size: int) -> Iterator[Sequence[Entry]]:
    """Yields what goes into one row each."""
    if size <= _MOST_ROW_BYTES:
        if entries:
            yield entries
        return
    begin = size = 0
    for end, entry in enumerate(entries, 1):
        size += len(entry.events)
        if size >= _MOST_ROW_BYTES or end == len(entries):
            yield entries[begin:end]
            begin, size = end, 0
