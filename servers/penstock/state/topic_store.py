"""The contract between the topics' service and whatever keeps topics, with the rules that hold for every store."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from penstock.v1.event_pb2 import AcknowledgeRequest, DeliveredEvent, TopicEvent
from penstock.wire.errors import NotFound

MOST_DELIVERIES: Final = 5
"""Deliveries of an event to one group; after the last of them it goes to the group's dead letters."""

OWN_GROUP_PREFIX: Final = "~"
"""Begins the names of groups that end with their only stream. No name that a caller may give begins with it."""

REPLY_PREFIX: Final = "reply."
"""Begins the names of topics that are reply addresses: made by subscribing only, and gone with their subscribers."""

GRACE_US: Final = 60_000_000
"""Time after which a reply address without groups is removed; and a stream's own group, where the stream was in another
process and nothing was taken for it any more."""

GROUP_IDLE_US: Final = 30 * 86400 * 1_000_000
"""Time after which a group that no stream has belonged to is forgotten."""


@dataclass(frozen=True, slots=True)
class Member:
    """Represents one stream of one member; `stream` is a random name that no other stream has."""

    tenant: str
    topic: str
    group: str
    stream: str

    @property
    def owns_group(self) -> bool:
        """Whether the group ends with this stream."""
        return self.group.startswith(OWN_GROUP_PREFIX)


@dataclass(frozen=True, slots=True)
class Demand:
    """Says how much a stream may have: events not yet acknowledged in all, bytes at once, and for how long each is its
    own before another may have it (in microseconds)."""

    max_unacknowledged: int
    max_bytes: int
    visibility_us: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Represents what a stream got.

    `skipped` counts events that retention dropped before the group had got them. `due_in` is the time in seconds after
    which something may be redelivered without any news; None: nothing waits for a time. `more` tells that there was
    more than `max_bytes` had room for.
    """

    events: Sequence[DeliveredEvent]
    skipped: int = 0
    due_in: float | None = None
    more: bool = False


class TopicStore(Protocol):
    """Keeps topics: events with positions from 1 without a gap, and for each group what it has got and answered.

    All that concerns one topic is one atomic step each. Times are the store's.
    """

    def publish(self, tenant: str, topic: str, events: Sequence[TopicEvent]) -> Awaitable[Sequence[int]]:
        """Appends events, all or none, and returns their positions; one whose id is kept has the position it had.

        `time` is stamped here. Makes the topic where there is none, but raises NotFound (`REPLY_ADDRESS_GONE`) for a
        reply address that is not there.
        """

    def join(self, member: Member, from_position: int | None) -> Awaitable[int]:
        """Adds a stream to its group, making topic and group where there are none; returns the position that the group
        gets next.

        A new group begins at `from_position` (0, or one that is not kept any more: the oldest kept; None: what is
        published from now on). Raises InvalidArgument naming `from_position` when a new group would begin after the
        next position to be given.
        """

    def take(self, member: Member, demand: Demand) -> Awaitable[Taken]:
        """Gives a stream what it may have now: first what is to be redelivered, then what is new, in order.

        An event that would be delivered once more than MOST_DELIVERIES goes to the topic `dead_topic(topic, group)`
        instead, in the same step where the store allows, else before it leaves the group; one of a stream's own group
        is dropped, and the log says so. Called at least every ten seconds while the stream lives, with room or without.
        Raises Unavailable (`GROUP_LOST`) when the group is gone.
        """

    def leave(self, member: Member) -> Awaitable[None]:
        """Ends a stream: its own group ends with it; to another group all is given back, to be redelivered at once.

        Only the oldest of what is given back counts as delivered: the others were waiting behind it.
        """

    def acknowledge(self, request: AcknowledgeRequest) -> Awaitable[Sequence[int]]:
        """Takes positions as done with or failed (redelivered at once, with the reason); returns those that no stream
        of the group has, or had and lost, without an answer.

        Later deliveries to a stream one of whose positions was answered have at least half their time left after it:
        they were waiting behind it.
        """

    def watch(self, member: Member, wake: Callable[[], None]) -> Callable[[], None]:
        """Has `wake` called when `take` may have more for a stream: after a publish, after an answer that makes room
        for it, and when something is given back or failed; returns what ends that."""


def dead_topic(topic: str, group: str) -> str:
    """Names the topic of a group's dead letters."""
    return f"{topic}.{group}.dead"


def dead_letter_reason(topic: str, group: str, position: int, deliveries: int, last: str) -> str:
    """Tells where a dead letter comes from, and what became of its last delivery."""
    return (
        f"delivered {deliveries} times to group {group} of topic {topic} (position {position}); the last time: {last}"
    )


def dead_letter_key(topic: str, group: str, position: int) -> str:
    """Names a dead letter within its topic, as ids name events; no id has a slash."""
    return f"{topic}/{group}/{position}"


def imported_name(topic: str, given: DeliveredEvent) -> str:
    """Names an imported event within its topic: a dead letter by where it stands, because its own name is not known."""
    return dead_letter_key(topic, "", given.position) if given.dead_letter_reason else given.event.event_id


def reply_address_gone(topic: str) -> NotFound:
    """Makes the error for a reply to an asker who has gone."""
    return NotFound(
        f"nobody waits for replies at {topic!r} any more",
        reason="REPLY_ADDRESS_GONE",
        metadata={"topic": topic},
    )


TIMED_OUT: Final = "it was not acknowledged in time"
STREAM_ENDED: Final = "its subscriber's stream ended"
