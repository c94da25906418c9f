"""What ties a reader's call to the trace of the run that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc.aio

from penstock.v1.run_log_pb2 import ReadRunsRequest, RunName
from penstock.v1.run_pb2 import Run
from penstock.wire.tracing import current_span
from penstock.wire.tracing_parents import links_to

if TYPE_CHECKING:
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub


async def link_to_run(run_log: RunLogServiceAsyncStub, tenant: str, run: Run, timeout: float) -> None:
    """Links the current span to the request that asked for a run, where that was another one.

    Costs a read of the run's record, and only while the span is recorded; a record that can't be read makes no link.
    """
    current = current_span()
    if current is None or not current.is_recording():
        return
    if run.trace_id in ("", f"{current.get_span_context().trace_id:032x}"):
        return
    name = RunName(tenant=tenant, run_id=run.run_id)
    try:
        answer = await run_log.ReadRuns(ReadRunsRequest(runs=[name]), timeout=timeout)
    except grpc.aio.AioRpcError:
        return  # the call that is being traced can do without
    for record in answer.records:
        for link in links_to([record.traceparent]):
            current.add_link(link.context)
