"""What a value may do: a register with versions that only grow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tests.linearizability.checker import UNKNOWN


@dataclass(frozen=True, slots=True)
class Value:
    """Represents a value and the versions that it may have."""

    data: bytes | None = None
    """What is kept; None: nothing."""

    version: int | None = None
    """Its version; None: nobody was told it yet, or there is no value."""

    above: int = 0
    """A version that all later ones exceed."""

    def is_seen(self, version: int) -> Value | None:
        """Returns the value, known to have a version; None: it can't have it."""
        if self.data is None or version <= self.above or self.version not in (None, version):
            return None
        return replace(self, version=version)

    def written(self, data: bytes | None, version: int | None) -> Value:
        """Returns what a write leaves."""
        return Value(data, version, self.version or self.above)


@dataclass(frozen=True, slots=True)
class Get:
    """Reads; the answer is data and version, or None."""


@dataclass(frozen=True, slots=True)
class Set:
    """Writes; the answer is the version."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes; the answer is whether something was, and the version in the way."""

    version: int


@dataclass(frozen=True, slots=True)
class Swap:
    """Writes if the version is this one, or with 0 if there is none; the answer is whether, and what stands now."""

    data: bytes
    version: int


class RegisterModel:
    """Says what a value may do; every write of a history has data of its own."""

    def begin(self) -> Value:
        """Nothing was ever written."""
        return Value()

    def after(self, state: Value, action: Get | Set | Delete | Swap, answer: object) -> Iterable[Value]:
        """Returns the states after an operation."""
        if isinstance(action, Get):
            return _after_get(state, answer)
        if isinstance(action, Set):
            return _after_write(state, action.data, answer)
        if isinstance(action, Delete):
            return _after_delete(state, action.version, answer)
        return _after_swap(state, action, answer)


def _after_get(state: Value, answer: object) -> Iterable[Value]:
    if answer is UNKNOWN:
        return (state,)
    if answer is None:
        return (state,) if state.data is None else ()
    assert isinstance(answer, tuple)
    data, version = answer
    seen = state.is_seen(version) if data == state.data else None
    return (seen,) if seen else ()


def _after_write(state: Value, data: bytes, answer: object) -> Iterable[Value]:
    if answer is UNKNOWN:
        return (state.written(data, None),)
    assert isinstance(answer, int)
    return (state.written(data, answer),) if answer > (state.version or state.above) else ()


def _after_delete(state: Value, wanted: int, answer: object) -> Iterable[Value]:
    if answer is UNKNOWN:
        hit = state if not wanted or state.data is None else state.is_seen(wanted)
        return (hit.written(None, None), state) if hit else (state,)
    assert isinstance(answer, tuple)
    deleted, current = answer
    if deleted:
        hit = state.is_seen(wanted) if wanted else state
        return (hit.written(None, None),) if hit and hit.data is not None else ()
    if not current:
        return (state,) if state.data is None else ()
    seen = state.is_seen(current) if current != wanted else None
    return (seen,) if seen else ()


def _after_swap(state: Value, action: Swap, answer: object) -> Iterable[Value]:
    absent = state if state.data is None else None
    fits = state.is_seen(action.version) if action.version else absent
    if answer is UNKNOWN:
        return (fits.written(action.data, None), state) if fits else (state,)
    assert isinstance(answer, tuple)
    applied, version = answer
    if applied:
        return _after_write(fits, action.data, version) if fits else ()
    if not version:
        return (absent,) if absent and action.version else ()
    seen = state.is_seen(version) if version != action.version else None
    return (seen,) if seen else ()
