"""The refusal of a run that is to be kept safer than the store keeps anything."""

from typing import Final

from penstock.v1.run_pb2 import DURABILITY_POWER, DURABILITY_REPLICA, Durability
from penstock.wire.errors import FailedPrecondition

_NEEDS: Final = {
    DURABILITY_POWER: "?synchronous=full in a SQLite file's URL, or appendonly yes and appendfsync always at Redis",
    DURABILITY_REPLICA: "a Redis or Valkey with a replica of each server",
}


def durability_refused(asked: Durability, kept: Durability) -> FailedPrecondition:
    """Makes the refusal, which says what a store would need for the level that was asked for."""
    level = _name(asked)
    return FailedPrecondition(
        f"this store keeps {_name(kept)} and not {level}, which needs {_NEEDS[asked]}; ask for less, or leave it out",
        reason="DURABILITY_UNSUPPORTED",
        metadata={"supported": Durability.Name(kept)},
    )


def _name(durability: Durability) -> str:
    return Durability.Name(durability).removeprefix("DURABILITY_")
