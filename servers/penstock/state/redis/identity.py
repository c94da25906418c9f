"""Which server took a write, and whether what it acknowledged may be lost by now."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Represents one life of one server.

    `place` names the server across restarts (in a Cluster its node id, else its address), `run_id` is new at each
    start, `aof_always` says that it syncs each write to its disk before it acknowledges.
    """

    place: str
    run_id: str
    aof_always: bool

    def to_bytes(self) -> bytes:
        """Packs it, to be stored."""
        return f"{self.run_id} {int(self.aof_always)} {self.place}".encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "ServerIdentity":
        """Reads what `to_bytes` packed."""
        run_id, aof_always, place = data.decode().split(" ", 2)
        return cls(place, run_id, aof_always == "1")

    def is_life_of(self, data: bytes) -> bool:
        """Tells whether `to_bytes` packed this life, under whichever address it was reached."""
        return data.startswith(f"{self.run_id} {int(self.aof_always)} ".encode())


def may_have_lost(before: ServerIdentity, now: ServerIdentity, *, replicated: bool) -> bool:
    """Tells whether what `before` acknowledged may be missing at `now`.

    `replicated` says that a majority of the replicas had confirmed it.
    """
    if before.run_id == now.run_id:
        return False
    if before.place == now.place:
        return not before.aof_always
    return not replicated
