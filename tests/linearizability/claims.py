"""What the ownership of one run may do: one owner at a time, and a new epoch with each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tests.linearizability.checker import UNKNOWN


@dataclass(frozen=True, slots=True)
class Owned:
    """Represents who owns the run."""

    recorded: bool = False
    owner: str = ""
    """The instance that owns it; empty: none."""

    epoch: int = 0
    """The newest epoch that anybody was told."""

    silent: bool = False
    """Whether the run was claimed since under an epoch that nobody was told."""

    finished: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Records the run without an owner; the answer is True."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Claims whatever there is; the answer is the epoch under which this run was got, or None."""

    instance: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Ends an instance's lease; the answer is True."""

    instance: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Ends the run under an epoch; the answer is whether the log took it."""

    epoch: int


class ClaimModel:
    """Says what may become of one run.

    A claim that comes back without the run says nothing: nobody promises that it takes all there is.
    """

    def begin(self) -> Owned:
        """The run is not recorded."""
        return Owned()

    def after(self, state: Owned, action: Record | Claim | GiveBack | Finish, answer: object) -> Iterable[Owned]:
        """Returns the states after an operation."""
        if isinstance(action, Record):
            return (state if state.recorded else Owned(recorded=True),)
        if isinstance(action, Claim):
            return _after_claim(state, action.instance, answer)
        if isinstance(action, GiveBack):
            return (replace(state, owner="") if state.owner == action.instance else state,)
        taken = state.recorded and not state.finished and not state.silent and state.epoch == action.epoch
        if answer not in (UNKNOWN, taken):
            return ()
        return (replace(state, owner="", finished=True) if taken else state,)


def _after_claim(state: Owned, instance: str, answer: object) -> Iterable[Owned]:
    free = state.recorded and not state.owner and not state.finished
    if answer is None:
        return (state,)
    if answer is UNKNOWN:
        # A claim whose caller has gone leaves the run to others, but not its epoch.
        claims = [replace(state, owner=owner, silent=True) for owner in (instance, "")] if free else []
        return (state, *claims)
    assert isinstance(answer, int)
    repeats = state.silent and state.owner == instance
    return (Owned(True, instance, answer),) if (free or repeats) and answer > state.epoch else ()
