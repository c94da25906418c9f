"""Names like one that does not exist, so that a slip of the finger is told as such."""

from difflib import get_close_matches
from typing import Final

import grpc.aio

from penstock.gateway.neighbours import Neighbours
from penstock.v1.run_log_pb2 import FindRunsRequest
from penstock.v1.run_pb2 import Run
from penstock.wire.errors import NotFound

_LOOKED_AT: Final = 100

# Ids are long and partly random: names that are less alike than this are strangers.
_ALIKE: Final = 0.7


async def no_such_run(neighbours: Neighbours, tenant: str, run_id: str, timeout: float) -> NotFound:
    """Makes the error for a run that does not exist, naming recent runs of the tenant that look like it."""
    recent = await _recent_runs(neighbours, tenant, timeout)
    return _not_found("run", run_id, [run.run_id for run in recent])


async def no_such_session(neighbours: Neighbours, tenant: str, session_id: str, timeout: float) -> NotFound:
    """Makes the error for a session that does not exist, naming sessions of recent runs that look like it."""
    recent = await _recent_runs(neighbours, tenant, timeout)
    return _not_found("session", session_id, sorted({run.session_id for run in recent if run.session_id}))


async def _recent_runs(neighbours: Neighbours, tenant: str, timeout: float) -> list[Run]:
    try:
        found = await neighbours.run_log.FindRuns(FindRunsRequest(tenant=tenant, page_size=_LOOKED_AT), timeout=timeout)
    except grpc.aio.AioRpcError:
        return []  # a hint is worth no failure
    return list(found.runs)


def _not_found(kind: str, name: str, known: list[str]) -> NotFound:
    return NotFound.named(kind, name, get_close_matches(name, known, n=3, cutoff=_ALIKE))
