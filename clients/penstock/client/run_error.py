"""Why a run did not succeed, as an error with a name."""

from penstock.v1.run_pb2 import Run
from penstock.wire.errors import PenstockError
from penstock.wire.status import from_status


def error_of(run: Run) -> PenstockError | None:
    """Returns why a run FAILED or was CANCELLED, with `reason`, `message` and `metadata`; None: it did not, so far.

    It is returned and not raised, because the calls about the run went well.
    """
    return from_status(run.error) if run.HasField("error") else None
