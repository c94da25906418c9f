"""The kinds of stores that the suite runs on, and how a test reaches them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.stores.binaries import redis

STORES: Final = ("sqlite", "sqlite-full", "valkey", "redis", "cluster")


@dataclass(frozen=True, slots=True)
class Kind:
    """Represents a store, and whether its services are called through a TCP connection or in the process."""

    store: str
    over_tcp: bool = False

    def __str__(self) -> str:
        return f"{self.store}-tcp" if self.over_tcp else self.store


# TCP changes nothing about what a store does: one embedded and one remote store show that it changes nothing at all.
KINDS: Final = (*(Kind(store) for store in STORES), Kind("sqlite", over_tcp=True), Kind("cluster", over_tcp=True))

# What a run of the tests covers, unless `--stores` says otherwise: a Redis where there is one.
USUAL: Final = tuple(store for store in STORES if store != "redis" or redis() is not None)
