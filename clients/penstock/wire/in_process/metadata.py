"""Metadata on its way between the two ends of an in-process call: checked and shaped as HTTP/2 would."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from penstock.wire.in_process.limits import MAX_METADATA_BYTES


class Pair(NamedTuple):
    """Represents one metadata entry; `value` is bytes for keys that end in `-bin` and text for all others."""

    key: str
    value: str | bytes


class InvalidMetadata(ValueError):
    """A key or value that HTTP/2 could not carry."""


class OversizedMetadata(ValueError):
    """More metadata than a peer accepts."""


_LEGAL_KEY = re.compile(r"[a-z0-9_.-]+")


def carried(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[Pair, ...]:
    """Returns metadata as the other end receives it.

    Raises InvalidMetadata, OversizedMetadata, or TypeError for values that are neither text nor bytes.
    """
    pairs = tuple([_carried_pair(key, value) for key, value in metadata])
    size = sum([len(key) + len(value) for key, value in pairs])
    if size > MAX_METADATA_BYTES:
        raise OversizedMetadata(f"received metadata size exceeds hard limit ({size} vs. {MAX_METADATA_BYTES})")
    return pairs


def _carried_pair(key: str, value: str | bytes) -> Pair:
    if _is_binary(key):
        if not isinstance(value, bytes):
            raise TypeError(f'Binary metadata key="{key}" expected bytes, got {type(value)}')
        return Pair(key, value)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    elif not isinstance(value, str):
        raise TypeError(f"Expected str, not {type(value)}")
    if not (value.isascii() and value.isprintable()):
        raise InvalidMetadata(f"the value of {key!r} has characters outside 0x20-0x7e")
    return Pair(key, value)


@lru_cache(maxsize=1024)
def _is_binary(key: str) -> bool:
    if not _LEGAL_KEY.fullmatch(key):
        raise InvalidMetadata(f"the key {key!r} has characters other than a-z, 0-9, '_', '-' and '.'")
    return key.endswith("-bin")
