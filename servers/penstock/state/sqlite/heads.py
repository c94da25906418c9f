"""The heads of unfinished runs, kept in memory."""

import sqlite3
from collections import OrderedDict
from functools import partial

from penstock.state.log.head import RunHead
from penstock.state.sqlite.database import Transaction
from penstock.state.sqlite.journal import Journal
from penstock.state.sqlite.run_rows import load_head


class HeadCache:
    """Keeps the heads used last, and forgets those of finished runs and of undone writes."""

    def __init__(self, capacity: int, journal: Journal) -> None:
        self._capacity = capacity
        self._journal = journal
        self._heads: OrderedDict[tuple[str, str], RunHead] = OrderedDict()

    def get(self, connection: sqlite3.Connection, tenant: str, run_id: str) -> RunHead | None:
        """Returns a run's head, read from the store where it is not at hand; None: there is no such run."""
        head = self._heads.get((tenant, run_id))
        if head is not None:
            self._heads.move_to_end((tenant, run_id))
            return head
        head = load_head(connection, self._journal, tenant, run_id)
        if head is not None and not head.finished:
            self.put(head)
        return head

    def put(self, head: RunHead) -> None:
        """Keeps a head."""
        self._heads[head.tenant, head.run_id] = head
        while len(self._heads) > self._capacity:
            self._heads.popitem(last=False)

    def drop(self, head: RunHead) -> None:
        """Forgets a head, so that the store is asked again."""
        self._heads.pop((head.tenant, head.run_id), None)

    def about_to_change(self, transaction: Transaction, head: RunHead) -> None:
        """Makes sure that a head changed from here on is forgotten if the write is undone."""
        transaction.on_undo(partial(self.drop, head))
