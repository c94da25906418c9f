"""What a plan must be like before a run is made of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from penstock.v1.plan_pb2 import Plan, RetryPolicy, Step
from penstock.wire.rules.arguments import check_arguments
from penstock.wire.rules.fields import check_duration, check_id, quoted
from penstock.wire.rules.findings import Findings
from penstock.wire.rules.references import Visible, check_references, nearest

MOST_STEPS: Final = 1000
MOST_PLAN_BYTES: Final = 256 * 1024
MOST_ATTEMPTS: Final = 100


def check_plan(findings: Findings, path: str, plan: Plan) -> None:
    """Notes all that is wrong with a plan, and what in it is not built yet."""
    if not plan.steps:
        findings.wrong(f"{path}.steps", "is empty; a plan has at least one step")
        return
    if len(plan.steps) > MOST_STEPS:
        findings.wrong(f"{path}.steps", f"has {len(plan.steps)} steps; the most is {MOST_STEPS}")
        return
    if (size := plan.ByteSize()) > MOST_PLAN_BYTES:
        findings.wrong(path, f"has {size:,} bytes; the most is {MOST_PLAN_BYTES:,} (256 KiB)")
        return
    if not plan.sequential and len(plan.steps) > 1:
        findings.unbuilt(f"{path}.sequential", "graphs of steps; set it to true for an ordered list")
    places = _places(findings, path, plan.steps)
    for position, step in enumerate(plan.steps):
        _check_step(findings, f"{path}.steps[{position}]", plan, position, step, places)


def _places(findings: Findings, path: str, steps: Sequence[Step]) -> dict[str, int]:
    places: dict[str, int] = {}
    for position, step in enumerate(steps):
        place = f"{path}.steps[{position}].step_id"
        check_id(findings, place, step.step_id)
        first = places.setdefault(step.step_id, position)
        if step.step_id and first != position:
            findings.wrong(place, f"{quoted(step.step_id)} is the id of steps[{first}] already; ids must be unique")
    return places


def _check_step(
    findings: Findings, path: str, plan: Plan, position: int, step: Step, places: Mapping[str, int]
) -> None:
    _check_needs(findings, path, plan, step, places)
    if step.HasField("when"):
        findings.unbuilt(f"{path}.when", "steps that run only for some cases")
    if step.HasField("timeout"):
        check_duration(findings, f"{path}.timeout", step.timeout)
    if step.HasField("retry"):
        _check_retry(findings, f"{path}.retry", step.retry)
    visible = Visible(places, position if plan.sequential else None)
    match step.WhichOneof("kind"):
        case None:
            findings.wrong(f"{path}.kind", "is missing; a step has one of agent and tool")
        case "agent":
            check_id(findings, f"{path}.agent.agent", step.agent.agent)
            check_references(findings, f"{path}.agent.task", step.agent.task, visible)
        case "tool":
            check_id(findings, f"{path}.tool.tool", step.tool.tool)
            check_arguments(findings, f"{path}.tool.arguments", step.tool, visible)
        case kind:
            findings.unbuilt(f"{path}.{kind}", f"steps of kind {kind}; use agent and tool")


def _check_needs(findings: Findings, path: str, plan: Plan, step: Step, places: Mapping[str, int]) -> None:
    for index, needed in enumerate(step.needs):
        place = f"{path}.needs[{index}]"
        if needed == step.step_id:
            findings.wrong(place, "is the step itself")
        elif needed not in places:
            findings.wrong(
                place, f"there is no step {quoted(needed)}{'' if findings.many else nearest(needed, places)}"
            )
    if step.needs and plan.sequential:
        findings.wrong(f"{path}.needs", "is for graphs; in a sequential plan each step needs the one before it")
    elif step.needs:
        findings.unbuilt(f"{path}.needs", "graphs of steps; use an ordered list (sequential: true)")


def _check_retry(findings: Findings, path: str, retry: RetryPolicy) -> None:
    if not 1 <= retry.max_attempts <= MOST_ATTEMPTS:
        findings.wrong(f"{path}.max_attempts", f"is {retry.max_attempts}; it must be 1 to {MOST_ATTEMPTS}")
    if retry.HasField("initial_backoff"):
        check_duration(findings, f"{path}.initial_backoff", retry.initial_backoff, zero=True)
    if retry.HasField("max_backoff"):
        check_duration(findings, f"{path}.max_backoff", retry.max_backoff, zero=True)
    factor = retry.backoff_multiplier
    if factor != 0 and (not math.isfinite(factor) or factor < 1):
        findings.wrong(f"{path}.backoff_multiplier", f"is {factor}; it must be at least 1, or 0 for 2")
