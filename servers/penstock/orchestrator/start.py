"""From what a caller asks for to what is recorded."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.orchestrator import endings
from penstock.orchestrator.catalogue import Catalogue
from penstock.orchestrator.recorder import Recorder
from penstock.orchestrator.workflows import Workflows
from penstock.v1.plan_pb2 import AgentStep, Plan, Step
from penstock.v1.run_log_pb2 import (
    RECORD_OUTCOME_DIFFERS,
    RECORD_OUTCOME_REFUSED,
    RECORD_OUTCOME_SESSION_BUSY,
    RecordRunsEntry,
    RecordRunsResult,
)
from penstock.v1.run_pb2 import RunSpec
from penstock.wire.context import RequestContext
from penstock.wire.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from penstock.wire.rules.findings import Findings
from penstock.wire.rules.plan import check_plan
from penstock.wire.status import from_status

# The only step of a run that names just an agent.
MAIN_STEP = "main"


@dataclass(frozen=True, slots=True)
class Starter:
    """Checks a spec against what there is, and records the run, claimed for this process, in one store call."""

    catalogue: Catalogue
    workflows: Workflows
    recorder: Recorder
    instance_id: str

    async def start(self, context: RequestContext, run_id: str, spec: RunSpec) -> RecordRunsResult:
        """Records a run.

        Raises:
            InvalidArgument: a plan that can't be driven.
            Unimplemented: a plan with what isn't built yet.
            NotFound: an agent, tool or workflow that nobody has.
            AlreadyExists: the id is taken by another spec.
            FailedPrecondition: the session is busy, or the durability can't be kept.
            Unavailable: the state layer is away.
        """
        plan = self._plan(spec)
        findings = Findings()
        check_plan(findings, "spec.plan", plan)
        findings.raise_any()
        await self.catalogue.check(plan)
        result = await self.recorder.record(self._entry(context, run_id, spec, plan))
        _raise_refusal(run_id, spec, result)
        return result

    def _plan(self, spec: RunSpec) -> Plan:
        match spec.WhichOneof("target"):
            case "agent":
                step = Step(step_id=MAIN_STEP, agent=AgentStep(agent=spec.agent))
                return Plan(steps=[step], sequential=True)
            case "plan":
                return spec.plan
            case "workflow":
                return self.workflows.get(spec.workflow)
            case _:
                raise InvalidArgument.of([("spec.target", "is missing; name one of agent, plan and workflow")])

    def _entry(self, context: RequestContext, run_id: str, spec: RunSpec, plan: Plan) -> RecordRunsEntry:
        messages = [endings.user_message(run_id, spec.input)] if spec.session_id else []
        return RecordRunsEntry(
            tenant=context.tenant,
            run_id=run_id,
            spec=spec,
            plan=plan,
            user=context.user,
            request_id=context.request_id,
            traceparent=context.traceparent,
            owner_instance_id=self.instance_id,
            events=[endings.run_started(), endings.step_started(plan.steps[0], 1)],
            session_messages=messages,
        )


def _raise_refusal(run_id: str, spec: RunSpec, result: RecordRunsResult) -> None:
    if result.outcome == RECORD_OUTCOME_DIFFERS:
        raise AlreadyExists(
            f"the idempotency key {spec.idempotency_key!r} was used for another spec; send the same, or use a new key",
            reason="IDEMPOTENCY_KEY_REUSED",
            metadata={"run_id": run_id},
        )
    if result.outcome == RECORD_OUTCOME_SESSION_BUSY:
        raise FailedPrecondition(
            f"session {spec.session_id!r} is busy with run {result.busy_run_id}; wait for it, cancel it, or enqueue",
            reason="SESSION_BUSY",
            metadata={"session": spec.session_id, "busy_run_id": result.busy_run_id},
        )
    if result.outcome == RECORD_OUTCOME_REFUSED:
        raise from_status(result.refusal)
