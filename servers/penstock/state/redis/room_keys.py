"""What lies in a room: the keys of a session and its runs, and the fields of the room's own hash."""

from dataclasses import dataclass

from penstock.state.redis.keys import Tag


@dataclass(frozen=True, slots=True)
class RunKeys:
    """Names a run's keys and fields.

    `fixed` is a hash of what was recorded, and of the head once the run has ended; `log` a stream of entries,
    `signals` (those that wait), `signal_ids` (the numbers of all that were sent) and `checkpoints` hashes. The others
    are fields of the room's hash while the run goes on; each writer has one that begins with `writers`.
    """

    fixed: bytes
    log: bytes
    signals: bytes
    signal_ids: bytes
    checkpoints: bytes
    head: bytes
    numbers: bytes
    durable: bytes
    writers: bytes

    @classmethod
    def of(cls, tag: Tag, run_id: str) -> "RunKeys":
        """Names them for a run in a room."""
        fixed = tag.key("run", run_id)
        name = run_id.encode()
        return cls(
            fixed=fixed,
            log=fixed + b":log",
            signals=fixed + b":signals",
            signal_ids=fixed + b":signal-ids",
            checkpoints=fixed + b":checkpoints",
            head=b"h/" + name,
            numbers=b"n/" + name,
            durable=b"d/" + name,
            writers=b"w/" + name + b"/",
        )


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """Names a session's keys.

    `messages` is a hash by index; the others are sorted sets: `ids` has each message id's index, `turns` the index at
    which each turn begins, `turn_of` the same for each run; `runs` has all runs of the session by time.
    """

    messages: bytes
    ids: bytes
    turns: bytes
    turn_of: bytes
    data: bytes
    runs: bytes

    @classmethod
    def of(cls, tag: Tag) -> "SessionKeys":
        """Names them in a room."""
        return cls(*(tag.key(kind) for kind in ("messages", "ids", "turns", "turn-of", "data", "runs")))


def room_key(tag: Tag) -> bytes:
    """Names the room's own hash."""
    return tag.key("room")
