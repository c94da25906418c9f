"""Which server has which slot of a Cluster."""

from collections.abc import Sequence
from typing import Any, Final

from redis.crc import key_slot

from penstock.state.redis.address import Endpoint

SLOTS: Final = 16384

Owners = list[Endpoint | None]


def slot_of(key: bytes) -> int:
    """Returns the slot of a key, which its hash tag decides."""
    return key_slot(key)


def read_owners(reply: Sequence[Any], asked: Endpoint) -> Owners:
    """Reads the answer to CLUSTER SLOTS; None: nobody has the slot.

    A server that does not know its own name leaves it out; it is then where it was `asked`.
    """
    owners: Owners = [None] * SLOTS
    for begin, end, primary, *_ in reply:
        owner = _endpoint((primary[0] or b"").decode(), primary[1], asked)
        for slot in range(begin, end + 1):
            owners[slot] = owner
    return owners


def read_replicas(reply: Sequence[Any], asked: Endpoint) -> set[Endpoint]:
    """Reads from the answer to CLUSTER SLOTS where the replicas are."""
    return {
        _endpoint((replica[0] or b"").decode(), replica[1], asked)
        for _, _, _, *replicas in reply
        for replica in replicas
    }


def read_redirection(text: str, asked: Endpoint) -> tuple[int, Endpoint]:
    """Reads slot and new owner from the text of a MOVED or ASK."""
    _, slot, place = text.split(" ", 2)
    host, _, port = place.split(" ", 1)[0].rpartition(":")
    return int(slot), _endpoint(host, port, asked)


def _endpoint(host: str, port: int | str, asked: Endpoint) -> Endpoint:
    return Endpoint(asked.host if host in ("", "?") else host, int(port))
