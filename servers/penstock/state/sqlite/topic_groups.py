"""The rows of consumer groups."""

import sqlite3
from typing import NamedTuple

from penstock.state.sqlite.topic_rows import TopicRow
from penstock.wire.errors import InvalidArgument


class GroupRow(NamedTuple):
    """Represents a group's number in the store, and the position that it gets next."""

    number: int
    next_position: int


def find_group(connection: sqlite3.Connection, topic: int, name: str) -> GroupRow | None:
    """Returns a group; None: there is none."""
    row = connection.execute(
        "SELECT number, next_position FROM topic_groups WHERE topic = ? AND name = ?", (topic, name)
    ).fetchone()
    return None if row is None else GroupRow(*row)


def ensure_group(
    connection: sqlite3.Connection, topic: TopicRow, name: str, from_position: int | None, now_us: int
) -> GroupRow:
    """Returns a group, making it where there is none; raises InvalidArgument when it would begin in the future."""
    found = find_group(connection, topic.number, name)
    if found is not None:
        connection.execute("UPDATE topic_groups SET seen_us = ? WHERE number = ?", (now_us, found.number))
        return found
    if from_position is not None and from_position > topic.next_position:
        raise InvalidArgument.of(
            [("from_position", f"is {from_position}; the next event of the topic will be {topic.next_position}")]
        )
    begin = topic.next_position if from_position is None else max(from_position, topic.first_position)
    cursor = connection.execute(
        "INSERT INTO topic_groups (topic, name, next_position, seen_us) VALUES (?, ?, ?, ?)",
        (topic.number, name, begin, now_us),
    )
    return GroupRow(int(cursor.lastrowid or 0), begin)


def group_in_use(connection: sqlite3.Connection, group: int) -> tuple[GroupRow, TopicRow] | None:
    """Returns a group and its topic by the group's number; None: it is gone."""
    row = connection.execute(
        "SELECT g.next_position, t.number, t.first_position, t.next_position FROM topic_groups AS g "
        "JOIN topics AS t ON t.number = g.topic WHERE g.number = ?",
        (group,),
    ).fetchone()
    return None if row is None else (GroupRow(group, row[0]), TopicRow(*row[1:]))


def move_group(connection: sqlite3.Connection, group: int, next_position: int) -> None:
    """Sets the position that a group gets next."""
    connection.execute("UPDATE topic_groups SET next_position = ? WHERE number = ?", (next_position, group))


def drop_group(connection: sqlite3.Connection, group: int) -> None:
    """Deletes a group, with what it has not answered."""
    connection.execute("DELETE FROM topic_deliveries WHERE topic_group = ?", (group,))
    connection.execute("DELETE FROM topic_groups WHERE number = ?", (group,))
