"""A run as its room keeps it, and the forms in which it is stored."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.state.log.head import RunHead
from penstock.state.redis.room_keys import RunKeys
from penstock.v1.run_log_pb2 import RunRecord
from penstock.v1.run_pb2 import DURABILITY_POWER, DURABILITY_PROCESS, DURABILITY_REPLICA, Durability

_COUNTERS: Final = struct.Struct("<QQQ")
_DURABILITIES: Final = {int(level): level for level in (DURABILITY_PROCESS, DURABILITY_POWER, DURABILITY_REPLICA)}


# Not frozen: it grows with every entry; whoever changes more than its numbers changes a copy.
@dataclass(slots=True, eq=False)
class RoomRun:
    """Represents a run in its room: its head, and what only this store must know of it.

    `durable` is the newest sequence that readers may see, None where each commit is durable at once; `recorded` says
    whether the run itself is. `bases` has, for each generation after the first, the newest sequence it has in common
    with the one before. `checkpoints` has the size of each step's. `writer_entries` has the number of each writer's
    newest entry. `first_sequence` is the first that is kept; `trimmed` says that it will not move any more.
    `doubted_us` is since when it is not known whether its owner still drives it; 0: that is known.
    """

    head: RunHead
    keys: RunKeys
    durability: Durability
    created_us: int
    deadline_us: int
    durable: int | None = None
    recorded: bool = True
    bases: list[tuple[int, int]] = field(default_factory=list)
    checkpoints: dict[str, int] = field(default_factory=dict)
    claim_id: str = ""
    first_sequence: int = 1
    trimmed: bool = False
    doubted_us: int = 0
    writer_entries: dict[str, int] = field(default_factory=dict)

    @property
    def readable(self) -> int:
        """The newest sequence that readers may see."""
        return self.head.last_sequence if self.durable is None else self.durable

    @property
    def whole(self) -> bool:
        """Whether the run and all its events are as durable as asked."""
        return self.recorded and self.readable >= self.head.last_sequence

    def replicated(self) -> bool:
        """Whether a majority of the replicas had whatever readers have seen."""
        return self.durability == DURABILITY_REPLICA

    def copy(self) -> "RoomRun":
        """Returns a run of its own that may be changed, and thrown away."""
        head = self.head
        record = RunRecord()
        record.CopyFrom(head.record)
        return RoomRun(
            head=RunHead(
                number=head.number,
                tenant=head.tenant,
                run_id=head.run_id,
                session_id=head.session_id,
                record=record,
                claimable=head.claimable,
                signals=head.signals,
                output_sequence=head.output_sequence,
                waiting=set(head.waiting),
                last_sequence=head.last_sequence,
                log_bytes=head.log_bytes,
                entries=head.entries,
                writers=dict(head.writers),
                outbox=head.outbox,
            ),
            keys=self.keys,
            durability=self.durability,
            created_us=self.created_us,
            deadline_us=self.deadline_us,
            durable=self.durable,
            recorded=self.recorded,
            bases=list(self.bases),
            checkpoints=dict(self.checkpoints),
            claim_id=self.claim_id,
            first_sequence=self.first_sequence,
            trimmed=self.trimmed,
            doubted_us=self.doubted_us,
            writer_entries=dict(self.writer_entries),
        )


def pack_head(run: RoomRun) -> bytes:
    """Packs what changes as a run goes on, its numbers and writers apart."""
    head = run.head
    small: dict[str, Any] = {
        "n": head.number,
        "s": head.session_id,
        "d": int(run.durability),
        "t": run.created_us,
        "x": run.deadline_us,
        "c": int(head.claimable),
        "g": head.signals,
        "o": head.output_sequence,
        "w": sorted(head.waiting),
        "k": run.checkpoints,
        "b": run.bases,
        "i": run.claim_id,
        "u": head.outbox,
        "f": run.first_sequence,
        "z": int(run.trimmed),
        "y": run.doubted_us,
    }
    text = json.dumps(small, separators=(",", ":")).encode()
    return len(text).to_bytes(4, "little") + text + head.record.SerializeToString()


def unpack_head(tenant: str, run_id: str, keys: RunKeys, packed: bytes, numbers: bytes | None) -> RoomRun:
    """Reads what `pack_head` and `pack_numbers` packed; the writers are not in it."""
    length = int.from_bytes(packed[:4], "little")
    small = json.loads(packed[4 : 4 + length])
    last, log_bytes, entries = unpack_numbers(numbers)
    return RoomRun(
        head=RunHead(
            number=small["n"],
            tenant=tenant,
            run_id=run_id,
            session_id=small["s"],
            record=RunRecord.FromString(packed[4 + length :]),
            claimable=bool(small["c"]),
            signals=small["g"],
            output_sequence=small["o"],
            waiting=set(small["w"]),
            last_sequence=last,
            log_bytes=log_bytes,
            entries=entries,
            outbox=small["u"],
        ),
        keys=keys,
        durability=_DURABILITIES[small["d"]],
        created_us=small["t"],
        deadline_us=small["x"],
        bases=[(generation, common) for generation, common in small["b"]],
        checkpoints=small["k"],
        claim_id=small["i"],
        first_sequence=small["f"],
        trimmed=bool(small["z"]),
        doubted_us=small["y"],
    )


def record_in(packed: bytes) -> bytes:
    """Returns the record in a packed head, as it is encoded."""
    return packed[4 + int.from_bytes(packed[:4], "little") :]


def pack_numbers(head: RunHead) -> bytes:
    """Packs what changes with every entry."""
    return _COUNTERS.pack(head.last_sequence, head.log_bytes, head.entries)


def unpack_numbers(packed: bytes | None) -> tuple[int, int, int]:
    """Returns the last sequence, the bytes and the number of entries of a log."""
    if packed is None:
        return 0, 0, 0
    last, log_bytes, entries = _COUNTERS.unpack(packed)
    return last, log_bytes, entries


def note_durable(run: RoomRun, mark: bytes | None) -> None:
    """Takes in the mark that says how far a run is durable; None: there is none."""
    if mark is not None:
        run.recorded = mark != b"-"
        run.durable = min(int(mark), run.head.last_sequence) if run.recorded else 0


def note_writers(run: RoomRun, writers: Mapping[str, bytes]) -> None:
    """Takes in each writer's newest number and entry."""
    for writer, packed in writers.items():
        sequence, entry = packed.split()
        run.head.writers[writer] = int(sequence)
        run.writer_entries[writer] = int(entry)
