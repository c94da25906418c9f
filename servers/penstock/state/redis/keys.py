"""Where things lie: key names made of hashes of ours, so that no text of a user ever decides about a slot."""

import hashlib
from dataclasses import dataclass
from typing import Final

_PREFIX: Final = b"penstock:"


def mark(*names: str | bytes) -> bytes:
    """Hashes names to 32 hexadecimal digits, each with its length before it, so that no two lists of names collide."""
    hasher = hashlib.blake2b(digest_size=16)
    for name in names:
        data = name.encode() if isinstance(name, str) else name
        hasher.update(len(data).to_bytes(8, "big") + data)
    return hasher.hexdigest().encode()


@dataclass(frozen=True, slots=True)
class Tag:
    """Represents the hash tag of keys that lie in one slot; `begin` is what all of their names begin with."""

    begin: bytes

    def key(self, kind: str, *names: str | bytes) -> bytes:
        """Names a key of this slot: its kind in plain letters, and the mark of the names that tell it from others."""
        if names:
            return b"%b%b:%b" % (self.begin, kind.encode(), mark(*names))
        return self.begin + kind.encode()


class Keys:
    """Names the keys of one store; two stores with different namespaces on one server share none."""

    def __init__(self, namespace: str = "") -> None:
        self._begin = _PREFIX + (namespace.encode() + b":" if namespace else b"")

    def session_room(self, tenant: str, session_id: str) -> Tag:
        """The room of a session and all its runs."""
        return self.tag(tenant, "s", session_id)

    def run_room(self, tenant: str, run_id: str) -> Tag:
        """The room of a run without a session."""
        return self.tag(tenant, "r", run_id)

    def pointer(self, tenant: str, run_id: str) -> bytes:
        """The key that tells in which room a run is; it lies where the run's own room would."""
        return self.run_room(tenant, run_id).key("pointer")

    def index(self, kind: str, *names: str | bytes) -> bytes:
        """The key of an index, in a slot of its own."""
        return self.tag("i", kind, *names).key(kind)

    def tag(self, *names: str | bytes) -> Tag:
        """The slot of whatever the names stand for."""
        return Tag(b"%b{%b}:" % (self._begin, mark(*names)))

    def plain(self, kind: str) -> bytes:
        """The key of something of which the store has only one."""
        return self._begin + kind.encode()
