"""What a stream may have now, taken for it."""

import logging
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from penstock.state.sqlite.topic_deliveries import Due, Kept, deliver, due_deliveries, kept_event, next_due, settle
from penstock.state.sqlite.topic_groups import GroupRow, move_group
from penstock.state.sqlite.topic_rows import NewEvent, TopicRow, append_events, ensure_topic
from penstock.state.topic_store import (
    MOST_DELIVERIES,
    TIMED_OUT,
    Demand,
    Member,
    dead_letter_key,
    dead_letter_reason,
    dead_topic,
)
from penstock.v1.event_pb2 import DeliveredEvent, TopicEvent

_LOGGER = logging.getLogger(__name__)

# Others wait while a step lasts.
_BURIED_AT_ONCE: Final = 100


@dataclass(slots=True)
class Taking:
    """Gathers for one stream what is due again and what is new, and notes it as delivered.

    `freed` counts what other streams lost to this one; `dead` tells that there are new dead letters.
    """

    connection: sqlite3.Connection
    member: Member
    demand: Demand
    group: GroupRow
    topic: TopicRow
    now_us: int
    most_events: int
    events: list[DeliveredEvent] = field(default_factory=list)
    size: int = 0
    skipped: int = 0
    more: bool = False
    dead: bool = False
    freed: Counter[str] = field(default_factory=Counter)

    def take(self, out: int) -> None:
        """Takes what there is room for, when the stream has `out` events that it has not answered."""
        room = self._take_due(self.demand.max_unacknowledged - out)
        position = self.group.next_position
        if position < self.topic.first_position:
            self.skipped += self.topic.first_position - position
            position = self.topic.first_position
        if not self.more and room > 0 and position < self.topic.next_position:
            position = self._take_new(position, room)
        if position != self.group.next_position:
            move_group(self.connection, self.group.number, position)
        if self.skipped:
            _LOGGER.warning(
                "topic %s of tenant %s dropped %d events that group %s had not got",
                self.member.topic,
                self.member.tenant,
                self.skipped,
                self.member.group,
            )

    def due_in(self) -> float | None:
        """Returns the seconds until something more is due again; None: nothing is."""
        due_us = next_due(self.connection, self.group.number, self.now_us)
        return None if due_us is None else (due_us - self.now_us) / 1e6

    def _take_due(self, room: int) -> int:
        """Takes what is due again; returns the room that is left."""
        most = self.demand.max_unacknowledged
        buried = 0
        while True:
            found = due_deliveries(self.connection, self.group.number, self.now_us, most)
            for due in found:
                # What this stream let time pass for takes no more room than it had.
                if room <= 0 and due.stream != self.member.stream:
                    continue
                kept = kept_event(self.connection, self.topic.number, due.position)
                if kept is None:
                    self.skipped += 1
                    settle(self.connection, self.group.number, due.position)
                elif due.delivery >= MOST_DELIVERIES:
                    self._bury(due, kept)
                    settle(self.connection, self.group.number, due.position)
                    buried += 1
                elif not self._fits(kept):
                    self.more = True
                    return room
                else:
                    self._deliver(kept, due.delivery + 1)
                    room -= 1
                if due.stream:
                    self.freed[due.stream] += 1
                    room += due.stream == self.member.stream
            # What was buried took no room, and hid what is due behind it.
            if room <= 0 or len(found) < most:
                return room
            if buried >= _BURIED_AT_ONCE:
                self.more = True
                return room

    def _take_new(self, position: int, room: int) -> int:
        """Takes what is new; returns the position after it."""
        rows = self.connection.execute(
            "SELECT position, dead_letter_reason, body FROM topic_events WHERE topic = ? AND position >= ? "
            "ORDER BY position LIMIT ?",
            (self.topic.number, position, room),
        )
        try:
            for row in rows:
                kept = Kept(*row)
                if not self._fits(kept):
                    self.more = True
                    break
                self._deliver(kept, 1)
                position = kept.position + 1
        finally:
            rows.close()
        return position

    def _fits(self, kept: Kept) -> bool:
        return not self.events or self.size + kept.size <= self.demand.max_bytes

    def _deliver(self, kept: Kept, delivery: int) -> None:
        due_us = self.now_us + self.demand.visibility_us
        deliver(self.connection, self.group.number, kept.position, self.member.stream, delivery, due_us)
        self.size += kept.size
        self.events.append(
            DeliveredEvent(
                position=kept.position,
                event=TopicEvent.FromString(kept.body),
                delivery=delivery,
                dead_letter_reason=kept.dead_letter_reason,
            )
        )

    def _bury(self, due: Due, kept: Kept) -> None:
        member = self.member
        reason = dead_letter_reason(
            member.topic, member.group, due.position, due.delivery, TIMED_OUT if due.stream else due.reason
        )
        if member.owns_group:
            _LOGGER.warning("an event of topic %s was dropped: %s", member.topic, reason)
            return
        self.dead = True
        burial = ensure_topic(self.connection, member.tenant, dead_topic(member.topic, member.group), self.now_us)
        key = dead_letter_key(member.topic, member.group, due.position)
        append_events(self.connection, burial, [NewEvent(key, kept.body, reason)], self.now_us, self.most_events)
