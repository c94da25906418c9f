"""Trimming the log of a run that has ended, down to what tells its end and its output, as operations on its room."""

from enum import Enum
from typing import Final

from penstock.state.redis.log_entries import unpack_entry
from penstock.state.redis.room_step import Lookup, Step
from penstock.state.redis.run_record import RoomRun

# Of one piece: to free the entries of so many takes Redis a few milliseconds.
_MOST_EVENTS: Final = 10_000


class Trimmed(Enum):
    """Says what came of trimming a log a piece further."""

    WHOLLY = 1
    PARTLY = 2
    NOT_YET = 3
    """The run's end is not as durable as asked."""

    NO_SUCH = 4
    """There is no such run, or it has not ended."""


def trim(run_id: str, step: Step) -> tuple[Trimmed, int]:
    """Drops a piece of what stands before a log's last entry, or before the one with the output if that is older.

    Returns also the first sequence that is kept.
    """
    step.relieves = True
    run = step.run(run_id)
    if run is None or not run.head.finished:
        return Trimmed.NO_SUCH, 0
    if run.trimmed:
        return Trimmed.WHOLLY, run.first_sequence
    if not run.whole:
        # Asked for again: this may have been left undone by a process that is no more.
        step.replicate = True
        step.touch()
        step.add(run)
        return Trimmed.NOT_YET, run.first_sequence
    keep_from = _first_to_keep(step, run)
    first = keep_from
    if keep_from > run.first_sequence + _MOST_EVENTS:
        ahead = run.first_sequence + _MOST_EVENTS
        fact = ("entries", run_id, "from", ahead)
        first = _first_of(step.know(fact, "XRANGE", run.keys.log, f"{ahead}-0", "+", "COUNT", 1))
    edited = step.edit(run)
    edited.first_sequence, edited.trimmed = first, first >= keep_from
    step.write("XTRIM", run.keys.log, "MINID", "=", f"{first}-0")
    step.write_head(edited)
    return (Trimmed.WHOLLY if edited.trimmed else Trimmed.PARTLY), first


def _first_to_keep(step: Step, run: RoomRun) -> int:
    run_id, output = run.head.run_id, run.head.output_sequence
    lookups: list[Lookup] = [(("entries", run_id, "last"), ("XREVRANGE", run.keys.log, "+", "-", "COUNT", 1))]
    if output:
        fact = ("entries", run_id, "holds", output)
        lookups.append((fact, ("XREVRANGE", run.keys.log, f"{output}-0", "-", "COUNT", 1)))
    return min((_first_of(found) for found in step.know_all(lookups) if found), default=run.first_sequence)


def _first_of(entries: list[tuple[bytes, tuple[bytes, bytes]]]) -> int:
    ((name, (_, value)),) = entries
    return unpack_entry(name, value).first
