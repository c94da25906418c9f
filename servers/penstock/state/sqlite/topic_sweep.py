"""What time asks of topics on SQLite: old events go, and what nobody uses any more."""

import sqlite3
from collections.abc import Callable

from penstock.state.clock import StoreClock
from penstock.state.sqlite.database import Database, Transaction
from penstock.state.sqlite.topic_deliveries import give_back_all
from penstock.state.sqlite.topic_groups import drop_group
from penstock.state.sqlite.topic_rows import trim_events
from penstock.state.topic_store import GRACE_US, GROUP_IDLE_US, OWN_GROUP_PREFIX

_AT_ONCE = 1000
_MANY = 100
# A topic that is forgotten begins at position 1 again, so that none is while anybody may still remember a position.
_SHORTEST_MEMORY_US = 86400 * 1_000_000

Lives = Callable[[str, str, int], bool]


class TopicSweep:
    """Trims topics by age, forgets groups that nobody belongs to, and topics that nobody uses."""

    def __init__(self, database: Database, clock: StoreClock, lives: Lives, retention: float) -> None:
        self._database = database
        self._clock = clock
        self._lives = lives
        self._retention_us = int(retention * 1_000_000)

    async def sweep(self) -> bool:
        """Does a bounded piece; True: there is more to do."""
        now_us = self._clock.now_us()
        # Most times there is nothing to do, and then nothing is written.
        if not self._due(self._database.reader, now_us):
            return False

        def operation(transaction: Transaction) -> bool:
            connection = transaction.connection
            return any(
                [
                    self._trim_old(connection, now_us),
                    self._forget_groups(connection, now_us),
                    self._forget_replies(connection, now_us),
                    self._forget_topics(connection, now_us),
                ]
            )

        return await self._database.write(operation)

    def _due(self, connection: sqlite3.Connection, now_us: int) -> bool:
        return any(
            connection.execute(f"SELECT 1 FROM {rows} LIMIT 1", parameters).fetchone()
            for rows, parameters in (
                (_OLD_TOPICS, (self._oldest_us(now_us),)),
                (_IDLE_GROUPS, (now_us - GROUP_IDLE_US,)),
                (_UNUSED_REPLIES, (now_us - GRACE_US,)),
                (_UNUSED_TOPICS, (now_us - self._memory_us(),)),
            )
        )

    def _trim_old(self, connection: sqlite3.Connection, now_us: int) -> bool:
        row = connection.execute(
            f"SELECT number, first_position, next_position FROM {_OLD_TOPICS} ORDER BY oldest_us LIMIT 1",
            (self._oldest_us(now_us),),
        ).fetchone()
        if row is None:
            return False
        topic, first, following = row
        last = min(first + _AT_ONCE, following)
        (until,) = connection.execute(
            "SELECT min(position) FROM topic_events WHERE topic = ? AND position >= ? AND position < ? AND time_us > ?",
            (topic, first, last, self._oldest_us(now_us)),
        ).fetchone()
        trim_events(connection, topic, last if until is None else until)
        return True

    def _forget_groups(self, connection: sqlite3.Connection, now_us: int) -> bool:
        rows = connection.execute(
            f"SELECT g.number, t.tenant, t.topic FROM {_IDLE_GROUPS} LIMIT ?", (now_us - GROUP_IDLE_US, _MANY)
        ).fetchall()
        for group, tenant, topic in rows:
            if self._lives(tenant, topic, group):
                connection.execute("UPDATE topic_groups SET seen_us = ? WHERE number = ?", (now_us, group))
            else:
                drop_group(connection, group)
        return len(rows) == _MANY

    def _forget_replies(self, connection: sqlite3.Connection, now_us: int) -> bool:
        rows = connection.execute(
            f"SELECT number, first_position, next_position FROM {_UNUSED_REPLIES} LIMIT ?", (now_us - GRACE_US, _MANY)
        ).fetchall()
        for topic, first, following in rows:
            if following - first > _AT_ONCE:
                trim_events(connection, topic, first + _AT_ONCE)
                return True
            connection.execute("DELETE FROM topic_events WHERE topic = ?", (topic,))
            connection.execute("DELETE FROM topics WHERE number = ?", (topic,))
        return len(rows) == _MANY

    def _forget_topics(self, connection: sqlite3.Connection, now_us: int) -> bool:
        rows = connection.execute(
            f"SELECT number FROM {_UNUSED_TOPICS} LIMIT ?", (now_us - self._memory_us(), _MANY)
        ).fetchall()
        for (topic,) in rows:
            connection.execute("DELETE FROM topics WHERE number = ?", (topic,))
        return len(rows) == _MANY

    def _oldest_us(self, now_us: int) -> int:
        return now_us - self._retention_us if self._retention_us else -1

    def _memory_us(self) -> int:
        return max(self._retention_us, _SHORTEST_MEMORY_US)


def open_topics(connection: sqlite3.Connection) -> None:
    """Ends the streams of the process before: what they had is delivered again, and groups of their own are gone."""
    for (group,) in connection.execute(
        "SELECT number FROM topic_groups WHERE substr(name, 1, 1) = ?", (OWN_GROUP_PREFIX,)
    ).fetchall():
        drop_group(connection, group)
    give_back_all(connection)


_NO_GROUPS = "NOT EXISTS (SELECT 1 FROM topic_groups WHERE topic_groups.topic = topics.number)"
_OLD_TOPICS = "topics WHERE oldest_us <= ?"
_IDLE_GROUPS = "topic_groups AS g JOIN topics AS t ON t.number = g.topic WHERE g.seen_us <= ?"
_UNUSED_REPLIES = f"topics WHERE used_us <= ? AND topic >= 'reply.' AND topic < 'reply/' AND {_NO_GROUPS}"
_UNUSED_TOPICS = f"topics WHERE oldest_us IS NULL AND used_us <= ? AND {_NO_GROUPS}"
