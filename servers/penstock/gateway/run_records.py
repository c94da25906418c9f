"""Runs as they stand: one, many, and the wish to end one."""

from dataclasses import dataclass
from typing import Final

from penstock.gateway.caller import current_tenant
from penstock.gateway.hints import no_such_run
from penstock.gateway.neighbours import Neighbours
from penstock.gateway.run_errors import naming
from penstock.gateway.settings import GatewaySettings
from penstock.gateway.validate import check_labels
from penstock.v1.gateway_pb2 import (
    CancelRunRequest,
    CancelRunResponse,
    ListRunsRequest,
    ListRunsResponse,
    SignalRunRequest,
    SignalRunResponse,
)
from penstock.v1.ownership_pb2 import (
    SIGNAL_OUTCOME_NOT_FOUND,
    SIGNAL_OUTCOME_RUN_ENDED,
    SIGNAL_OUTCOME_SENT,
    SendSignalRequest,
    SendSignalResponse,
)
from penstock.v1.run_log_pb2 import FindRunsRequest, ReadRunsRequest, RunName
from penstock.v1.run_pb2 import Run, RunState, Signal
from penstock.wire.errors import NotFound
from penstock.wire.rules.fields import check_enum, check_id, check_page_size
from penstock.wire.rules.findings import Findings
from penstock.wire.rules.signal import LONGEST_REASON, check_signal

# One id for every cancel of a run: a repeat, by whomever, is the same wish.
_CANCEL_ID: Final = "cancel"


@dataclass(frozen=True, slots=True)
class RunRecords:
    """Answers questions about runs from the state layer alone."""

    settings: GatewaySettings
    neighbours: Neighbours

    async def read(self, run_id: str) -> Run:
        """Returns a run as it stands; raises InvalidArgument or NotFound."""
        findings = Findings()
        check_id(findings, "run_id", run_id)
        findings.raise_any()
        tenant = current_tenant()
        with naming(run_id):
            answer = await self.neighbours.run_log.ReadRuns(
                ReadRunsRequest(runs=[RunName(tenant=tenant, run_id=run_id)], run_only=True),
                timeout=self.settings.read_timeout,
            )
            if not answer.records:
                raise await self.missing(tenant, run_id)
            return answer.records[0].run

    async def missing(self, tenant: str, run_id: str) -> NotFound:
        """Makes the error for a run that does not exist, with names that look like it."""
        return await no_such_run(self.neighbours, tenant, run_id, self.settings.hint_timeout)

    async def find(self, request: ListRunsRequest) -> ListRunsResponse:
        """Returns a page of runs, newest first; raises InvalidArgument."""
        findings = Findings()
        check_page_size(findings, request.page_size)
        check_id(findings, "session_id", request.session_id, required=False)
        for index, state in enumerate(request.states):
            check_enum(findings, f"states[{index}]", state, RunState.values())
        check_labels(findings, "labels", request.labels)
        findings.raise_any()
        wanted = FindRunsRequest(
            tenant=current_tenant(),
            page_size=request.page_size,
            page_token=request.page_token,
            session_id=request.session_id,
            states=request.states,
            labels=request.labels,
        )
        if request.HasField("created_after_time"):
            wanted.created_after_time.CopyFrom(request.created_after_time)
        if request.HasField("created_before_time"):
            wanted.created_before_time.CopyFrom(request.created_before_time)
        found = await self.neighbours.run_log.FindRuns(wanted, timeout=self.settings.read_timeout)
        return ListRunsResponse(runs=found.runs, next_page_token=found.next_page_token)

    async def cancel(self, request: CancelRunRequest) -> CancelRunResponse:
        """Makes the wish to end a run durable; raises InvalidArgument or NotFound."""
        findings = Findings()
        check_id(findings, "run_id", request.run_id)
        if len(request.reason) > LONGEST_REASON:
            findings.wrong("reason", f"has {len(request.reason)} characters; the most is {LONGEST_REASON}")
        findings.raise_any()
        answer = await self._send(request.run_id, _CANCEL_ID, Signal(cancel=Signal.Cancel(reason=request.reason)))
        return CancelRunResponse(run=answer.run, applied=_applied(answer))

    async def signal(self, request: SignalRunRequest) -> SignalRunResponse:
        """Makes an approval or input for a run durable; raises InvalidArgument, NotFound or ResourceExhausted."""
        findings = Findings()
        check_id(findings, "run_id", request.run_id)
        check_id(findings, "signal_id", request.signal_id)
        check_signal(findings, request.signal)
        if request.signal.HasField("cancel"):
            findings.wrong("signal.cancel", "is not sent this way; CancelRun ends a run")
        findings.raise_any()
        answer = await self._send(request.run_id, request.signal_id, request.signal)
        return SignalRunResponse(signal_number=answer.signal_number, applied=_applied(answer))

    async def _send(self, run_id: str, signal_id: str, signal: Signal) -> SendSignalResponse:
        tenant = current_tenant()
        with naming(run_id):
            answer = await self.neighbours.ownership.SendSignal(
                SendSignalRequest(tenant=tenant, run_id=run_id, signal_id=signal_id, signal=signal),
                timeout=self.settings.read_timeout,
            )
            if answer.outcome == SIGNAL_OUTCOME_NOT_FOUND:
                raise await self.missing(tenant, run_id)
        return answer


def _applied(answer: SendSignalResponse) -> bool:
    return answer.outcome in (SIGNAL_OUTCOME_SENT, SIGNAL_OUTCOME_RUN_ENDED)
