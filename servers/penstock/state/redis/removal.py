"""Removing a run that has ended with all that belongs to it, as an operation on its room."""

from typing import Final, NamedTuple

from penstock.state.redis.room_keys import SessionKeys
from penstock.state.redis.room_step import Step
from penstock.state.redis.run_indexes import RunIndexes, ended_us, trimmable
from penstock.state.redis.session_history import recorded
from penstock.v1.run_log_pb2 import RunRecord

_AGAIN_US: Final = 10_000_000


class Removed(NamedTuple):
    """Represents what came of removing a run.

    `gone`: it is no more. Else `ended_us` is when it ended, or may be looked at as if it had; 0: it goes on. `log`
    stands for the log of the run that this very operation removed.
    """

    gone: bool
    ended_us: int
    log: str


def remove(run_id: str, indexes: RunIndexes, until_us: int, step: Step) -> Removed:
    """Removes a run that had ended by a time, and the room if it has nothing else."""
    step.relieves = True
    run = step.run(run_id)
    if run is None:
        return Removed(gone=True, ended_us=0, log="")
    if not run.head.finished:
        return Removed(gone=False, ended_us=0, log="")
    ended = ended_us(run)
    if not run.whole:
        # Asked for again: this may have been left undone by a process that is no more.
        step.replicate = True
        step.touch()
        step.add(run)
        return Removed(gone=False, ended_us=until_us + _AGAIN_US, log="")
    if ended > until_us:
        return Removed(gone=False, ended_us=ended, log="")
    summary = step.know(("entries", run_id, "summary"), "HGET", run.keys.fixed, "s")
    others = 0
    if run.head.session_id:
        others = recorded(step) - 1
        step.learn(("recorded",), others)
        step.write("ZREM", SessionKeys.of(step.room.tag).runs, run_id)
    keys = run.keys
    step.write("UNLINK", keys.fixed, keys.log, keys.signals, keys.signal_ids, keys.checkpoints)
    step.forgotten.append(("ended", run_id))
    step.cleanup += indexes.removed(run, RunRecord.FromString(summary).run.labels)
    if not others and step.meta is None:
        step.vacate()
    return Removed(gone=True, ended_us=ended, log="" if run.trimmed else trimmable(run))
