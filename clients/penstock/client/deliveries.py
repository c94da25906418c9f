"""What a subscriber has got, what it holds, and what it is done with."""

from collections.abc import Iterable

from penstock.v1.event_pb2 import DeliveredEvent


class Deliveries:
    """Keeps the books of one subscription over all its connections, so that no position is handed out twice at once.

    A position is `waiting` to be handed out, then held, then done with, or failed and expected again. `most` is how
    many a group has out at once. A group of one's own begins anew with each connection, and then at `resume_at`.
    """

    def __init__(self, most: int, *, own_group: bool) -> None:
        self._most = most
        self._own_group = own_group
        self._waiting: dict[int, DeliveredEvent] = {}
        self._held: set[int] = set()
        self._failed: set[int] = set()
        self._done: dict[int, None] = {}
        self._most_done = 2 * most
        self._after_newest = 0

    @property
    def resume_at(self) -> int:
        """The first position that is not done with."""
        return min((*self._waiting, *self._held, *self._failed), default=self._after_newest)

    @property
    def recently_done(self) -> list[int]:
        """Positions done with whose answers may not have arrived, the newest last."""
        return list(self._done)[-self._most :]

    def joined(self, next_position: int) -> None:
        """Notes the position that the group gets next.

        What a group that stays gets next it has never got before: a store that lost its newest gives numbers anew.
        """
        if not self._own_group:
            self._waiting = {position: event for position, event in self._waiting.items() if position < next_position}
            self._held = {position for position in self._held if position < next_position}
            self._done = {position: None for position in self._done if position < next_position}
        self._after_newest = max(self._after_newest, next_position)

    def receive(self, events: Iterable[DeliveredEvent]) -> list[int]:
        """Takes events in; returns positions that were done with already, to be said again."""
        again: list[int] = []
        for event in events:
            position = event.position
            self._after_newest = max(self._after_newest, position + 1)
            if position in self._done:
                again.append(position)
            elif position not in self._held:  # else its time went by, and it is with the program still
                self._failed.discard(position)
                self._waiting[position] = event
        return again

    @property
    def any_waits(self) -> bool:
        """Whether there is an event to be handed out."""
        return bool(self._waiting)

    def hand_out(self) -> DeliveredEvent | None:
        """Returns the next event; None: none waits."""
        if not self._waiting:
            return None
        position = next(iter(self._waiting))
        self._held.add(position)
        return self._waiting.pop(position)

    def is_held(self, position: int) -> bool:
        """Tells whether a position is still to be answered."""
        return position in self._held

    def settle(self, position: int) -> None:
        """Notes that a held position is done with."""
        self._held.remove(position)
        self._done[position] = None
        if len(self._done) > self._most_done:
            first = self.resume_at
            # What a group of one's own begins with again must be known; of others only what may still be under way.
            keep = [one for one in self._done if one >= first] if self._own_group else self.recently_done
            self._done = dict.fromkeys(keep)
            self._most_done = 2 * max(len(keep), self._most)  # so that looking through them costs little for each

    def fail(self, position: int) -> None:
        """Notes that a held position is to come again."""
        self._held.remove(position)
        if self._own_group:
            self._failed.add(position)
