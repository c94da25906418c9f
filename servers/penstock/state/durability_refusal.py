"""The refusal of a run that is to be kept safer than the store keeps anything."""

from collections.abc import Mapping

from penstock.v1.run_pb2 import Durability
from penstock.wire.errors import FailedPrecondition


def durability_refused(asked: Durability, kept: Durability, needs: Mapping[Durability, str]) -> FailedPrecondition:
    """Makes the refusal, which says what the store would need for the level that was asked for."""
    level = _name(asked)
    return FailedPrecondition(
        f"this store keeps {_name(kept)} and not {level}, which needs {needs[asked]}; ask for less, or leave it out",
        reason="DURABILITY_UNSUPPORTED",
        metadata={"supported": Durability.Name(kept)},
    )


def _name(durability: Durability) -> str:
    return Durability.Name(durability).removeprefix("DURABILITY_")
