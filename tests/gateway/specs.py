"""What the tests ask for, and what they hear about it."""

from penstock.gateway.validate import check_spec
from penstock.v1.plan_pb2 import AgentStep, Plan, Step
from penstock.v1.run_pb2 import Content, RunSpec
from penstock.wire.errors import InvalidArgument


def spec_of(**fields: object) -> RunSpec:
    """Makes a spec that is right unless a field says otherwise."""
    defaults: dict[str, object] = {"input": [Content(text="count the words")]}
    if not {"plan", "workflow", "agent"} & set(fields):
        defaults["agent"] = "counter"
    return RunSpec(**{**defaults, **fields})  # type: ignore[arg-type]  # the field names are the test's to choose


def agent_step(step_id: str, task: str = "", **fields: object) -> Step:
    return Step(step_id=step_id, agent=AgentStep(agent="counter", task=task), **fields)  # type: ignore[arg-type]  # as above


def plan_spec(*steps: Step, sequential: bool = True) -> RunSpec:
    return spec_of(plan=Plan(steps=steps, sequential=sequential))


def violations(spec: RunSpec) -> dict[str, str]:
    """Returns the descriptions of all that is wrong, by path; none when the spec is right."""
    try:
        check_spec(spec, present=True)
    except InvalidArgument as error:
        return {violation.field: violation.description for violation in error.violations}
    return {}
