"""From a FindRuns request to a query of the store."""

from penstock.state.clock import from_timestamp
from penstock.state.stores import RunQuery
from penstock.state.violations import MAX_LABELS, Violations
from penstock.v1.run_log_pb2 import FindRunsRequest
from penstock.v1.run_pb2 import RunState

_PAGE = 50
_STATES = frozenset(RunState.values())


def run_query(request: FindRunsRequest, place: bytes, max_bytes: int) -> RunQuery:
    """Makes the query; `place` is the one in the page token.

    Raises:
        InvalidArgument: a condition is malformed.
    """
    violations = Violations()
    violations.id("tenant", request.tenant)
    violations.id("session_id", request.session_id, optional=True)
    limit = violations.page_size(request.page_size, _PAGE)
    violations.count("labels", len(request.labels), MAX_LABELS)
    violations.count("states", len(request.states))
    if not _STATES.issuperset(request.states):
        violations.add("states", "has a state that is not known here")
    violations.time("created_after_time", request.created_after_time)
    violations.time("created_before_time", request.created_before_time)
    violations.raise_any()
    states = list(request.states)
    return RunQuery(
        tenant=request.tenant,
        before=int.from_bytes(place, "big"),
        limit=limit,
        session_id=request.session_id,
        states=[] if RunState.RUN_STATE_UNSPECIFIED in states else states,
        labels=dict(request.labels),
        created_from_us=from_timestamp(request.created_after_time) if request.HasField("created_after_time") else None,
        created_until_us=(
            from_timestamp(request.created_before_time) if request.HasField("created_before_time") else None
        ),
        max_bytes=max_bytes,
    )
