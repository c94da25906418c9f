"""The transaction that is open, as the writes that share it see it."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Transaction:
    """Represents the transaction that is open, to the writes that share it."""

    connection: sqlite3.Connection
    undo: list[Callable[[], None]] = field(default_factory=list)
    storing: "dict[Callable[[Transaction], None], None]" = field(default_factory=dict)
    committed: list[Callable[[], None]] = field(default_factory=list)
    done: dict[Callable[..., None], None] = field(default_factory=dict)
    broken_by: Exception | None = None
    protected: bool = False

    def protect(self) -> None:
        """Makes sure that this write, if it raises after it has changed something, is undone alone."""
        if not self.protected:
            self.connection.execute("SAVEPOINT one")
            self.protected = True

    def on_undo(self, action: Callable[[], None]) -> None:
        """Has an action done when this write, or the whole transaction, is undone."""
        self.undo.append(action)

    def before_commit(self, action: "Callable[[Transaction], None]") -> None:
        """Has an action done once right before the commit, however many writes ask for it, and whether undone or not.

        What it raises fails the commit.
        """
        self.storing[action] = None

    def on_commit(self, action: Callable[[], None]) -> None:
        """Has an action done after the commit, unless this write is undone; before any answer, in order."""
        self.committed.append(action)

    def on_done(self, action: Callable[[], None]) -> None:
        """Has an action done once after the commit, however many writes ask for it."""
        self.done[action] = None
