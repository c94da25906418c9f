"""What readers and writers were told of one run, and what may never be told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import AppendEventsResult


class PromiseBroken(AssertionError):
    """Says which promise of the state layer did not hold, and where."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Represents an entry that a writer was told to be kept: where it stands, and what its tokens say."""

    first: int
    last: int
    texts: tuple[str, ...]


@dataclass
class History:
    """Gathers all that was ever said of one run's log, by whichever process, and refuses contradictions.

    An event is known by (generation, sequence): every reader who sees one sees the same bytes, for ever.
    """

    run_id: str
    seen: dict[tuple[int, int], bytes] = field(default_factory=dict)
    acknowledged: dict[tuple[int, int], Acknowledged] = field(default_factory=dict)

    def saw(self, generation: int, event: RunEvent) -> None:
        """Takes in an event that a reader was shown."""
        data = event.SerializeToString(deterministic=True)
        before = self.seen.setdefault((generation, event.sequence), data)
        if before != data:
            raise PromiseBroken(
                f"{self.run_id}: event {event.sequence} of generation {generation} was\n"
                f"{RunEvent.FromString(before)}and is now\n{event}"
            )

    def kept(self, number: int, result: AppendEventsResult, texts: Sequence[str]) -> None:
        """Takes in a writer's acknowledgement of its entry `number`; a repeat must say the same numbers."""
        told = Acknowledged(result.first_sequence, result.last_sequence, tuple(texts))
        before = self.acknowledged.setdefault((result.generation, number), told)
        if before != told:
            raise PromiseBroken(f"{self.run_id}: entry {number} was acknowledged as {before}, and again as {told}")

    def newest(self, generation: int) -> int:
        """Returns the newest sequence that anyone saw, or was told to be kept, of a generation; 0: none."""
        seen = [sequence for told, sequence in self.seen if told == generation]
        kept = [entry.last for (told, _), entry in self.acknowledged.items() if told == generation]
        return max([0, *seen, *kept])

    def generations(self) -> set[int]:
        """Returns the generations of which anything was told."""
        return {told for told, _ in self.seen} | {told for told, _ in self.acknowledged}

    def agrees_with(self, log: Sequence[RunEvent], generation: int, common: int) -> None:
        """Checks what was told of a generation, up to `common`, against the log as it is in the end."""
        if common > len(log):
            raise PromiseBroken(f"{self.run_id}: {common} events were told of, and the log has {len(log)}")
        for sequence in range(1, common + 1):
            was = self.seen.get((generation, sequence))
            if was is not None and was != log[sequence - 1].SerializeToString(deterministic=True):
                raise PromiseBroken(
                    f"{self.run_id}: event {sequence} was seen in generation {generation} as\n"
                    f"{RunEvent.FromString(was)}and the log has\n{log[sequence - 1]}"
                )
        for (told, number), entry in self.acknowledged.items():
            if told != generation or entry.last > common:
                continue
            found = tuple(event.token.text for event in log[entry.first - 1 : entry.last] if event.HasField("token"))
            if found != entry.texts:
                raise PromiseBroken(f"{self.run_id}: entry {number} was acknowledged as {entry}; the log has {found}")


def check_whole(run_id: str, log: Sequence[RunEvent]) -> None:
    """Checks that a log has neither gap nor repeat, ends once, and holds each writer's entries in order and once."""
    if [event.sequence for event in log] != list(range(1, len(log) + 1)):
        raise PromiseBroken(f"{run_id}: the log's numbers are {[event.sequence for event in log]}")
    if [event.HasField("run_finished") for event in log] != [False] * (len(log) - 1) + [True]:
        raise PromiseBroken(f"{run_id}: the log does not end with its one run_finished")
    numbers = [tuple(map(int, event.token.text.split("."))) for event in log if event.HasField("token")]
    if any(earlier >= later for earlier, later in pairwise(numbers)):
        raise PromiseBroken(f"{run_id}: the log holds tokens twice or out of order: {numbers}")
