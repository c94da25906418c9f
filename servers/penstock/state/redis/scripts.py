"""Lua scripts, and what running one brings."""

from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

from penstock.state.redis.identity import ServerIdentity


@dataclass(frozen=True, slots=True)
class Script:
    """Represents a Lua script; `read_only` ones may be repeated at will.

    A text begins with `#!lua`, so that a server which is full refuses it before it has done anything; with
    `#!lua flags=allow-oom`, so that such a server still runs it, where it takes away more than it adds, or never adds
    more than a line for each process; or with `#!lua flags=no-writes`.
    """

    text: str
    read_only: bool = False
    # Redis names scripts by SHA-1; nothing secret hangs on it.
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Reply:
    """Represents what a script answered, whether a majority of the replicas has it, and which server ran it."""

    value: Any  # whatever the script returns, in the types of the protocol
    replicated: bool
    server: ServerIdentity
