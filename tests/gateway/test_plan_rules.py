"""What a plan must be like."""

import time
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value
from hypothesis import given
from hypothesis import strategies as st

from penstock.gateway.validate import check_spec
from penstock.v1.plan_pb2 import AgentStep, Plan, RetryPolicy, Step, ToolStep, WaitStep, When
from penstock.wire.errors import Unimplemented
from tests.gateway.specs import agent_step, plan_spec, spec_of, violations


def tool_step(arguments: Any, step_id: str = "t") -> Step:
    return Step(step_id=step_id, tool=ToolStep(tool="count", arguments=ParseDict(arguments, Value())))


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth > 1 else {"a": 1}


def retry(**fields: Any) -> Step:
    return agent_step("a", retry=RetryPolicy(**{"max_attempts": 3, **fields}))


@pytest.mark.parametrize(
    "plan",
    [
        Plan(steps=[agent_step("main")]),
        Plan(steps=[agent_step("a"), agent_step("b", "${steps.a.output} of ${input}, $${x}")], sequential=True),
        Plan(steps=[tool_step({"n": 2**53 - 1, "big": str(2**70), "half": 0.5, "all": ["${input}", None, True]})]),
        Plan(steps=[tool_step(nested(23))]),
        Plan(steps=[Step(step_id="t", tool=ToolStep(tool="now"))]),
        Plan(steps=[retry(max_attempts=100, initial_backoff=Duration(), backoff_multiplier=1)]),
        Plan(steps=[agent_step(f"s{n}") for n in range(1000)], sequential=True),
    ],
)
def test_a_plan_within_the_rules_is_taken(plan: Plan) -> None:
    """Ordered lists of agent and tool steps run, up to every limit."""
    check_spec(spec_of(plan=plan), present=True)


@pytest.mark.parametrize(
    ("steps", "path", "says"),
    [
        ([], "spec.plan.steps", "at least one"),
        ([agent_step("s")] * 1001, "spec.plan.steps", "1001"),
        ([agent_step("a", "x" * (1 << 18))], "spec.plan", "256 KiB"),
        ([agent_step("a"), agent_step("")], "spec.plan.steps[1].step_id", "missing"),
        ([agent_step("a b")], "spec.plan.steps[0].step_id", "'a b'"),
        ([agent_step("a"), agent_step("b"), agent_step("a")], "spec.plan.steps[2].step_id", "steps[0]"),
        ([Step(step_id="a")], "spec.plan.steps[0].kind", "agent and tool"),
        ([Step(step_id="a", agent=AgentStep())], "spec.plan.steps[0].agent.agent", "missing"),
        ([Step(step_id="a", tool=ToolStep(tool="$"))], "spec.plan.steps[0].tool.tool", "'$'"),
        ([tool_step([1])], "spec.plan.steps[0].tool.arguments", "object"),
        ([tool_step({"a": {"b c": [0, 2**53]}})], "spec.plan.steps[0].tool.arguments.a['b c'][1]", "2^53"),
        ([tool_step({"n": -(2**53) - 1})], "spec.plan.steps[0].tool.arguments.n", "2^53"),
        ([tool_step(nested(25))], "spec.plan.steps[0].tool.arguments" + ".a" * 25, "deep"),
        ([agent_step("a", timeout=Duration())], "spec.plan.steps[0].timeout", "more than 0"),
        ([retry(max_attempts=0)], "spec.plan.steps[0].retry.max_attempts", "1 to 100"),
        ([retry(max_attempts=101)], "spec.plan.steps[0].retry.max_attempts", "101"),
        ([retry(backoff_multiplier=0.5)], "spec.plan.steps[0].retry.backoff_multiplier", "0.5"),
        ([retry(backoff_multiplier=float("nan"))], "spec.plan.steps[0].retry.backoff_multiplier", "nan"),
        ([retry(initial_backoff=Duration(seconds=-1))], "spec.plan.steps[0].retry.initial_backoff", "negative"),
        ([agent_step("a", "${steps.b.output}"), agent_step("b")], "spec.plan.steps[0].agent.task", "later"),
        ([agent_step("a", "${steps.a.output}")], "spec.plan.steps[0].agent.task", "itself"),
        ([agent_step("fetch"), agent_step("b", "${steps.fecth.output}")], "spec.plan.steps[1].agent.task", "'fetch'"),
        ([agent_step("a", "${inptu}")], "spec.plan.steps[0].agent.task", "'${inptu}'"),
        ([agent_step("a", "${item}")], "spec.plan.steps[0].agent.task", "fan-out"),
        ([tool_step({"x": ["${steps.z.output}"]})], "spec.plan.steps[0].tool.arguments.x[0]", "does not exist"),
        ([agent_step("a"), agent_step("b", needs=["a"])], "spec.plan.steps[1].needs", "graphs"),
    ],
)
def test_each_broken_rule_of_a_plan_is_told_with_its_path(steps: list[Step], path: str, says: str) -> None:
    """The path leads to the very field, through steps, objects and lists."""
    found = violations(plan_spec(*steps))
    assert found.keys() >= {path}
    assert says in found[path]


def test_an_unknown_need_is_told_before_graphs_are_said_to_be_missing() -> None:
    """A mistake comes before a gap: mending it is the caller's part."""
    spec = plan_spec(agent_step("first"), agent_step("second", needs=["frist"]), sequential=False)
    assert violations(spec) == {
        "spec.plan.steps[1].needs[0]": "there is no step 'frist'; did you mean 'first'?",
    }


@pytest.mark.parametrize(
    ("plan", "path"),
    [
        (Plan(steps=[agent_step("a"), agent_step("b")]), "spec.plan.sequential"),
        (Plan(steps=[agent_step("a"), agent_step("b", needs=["a"])]), "spec.plan.steps[1].needs"),
        (Plan(steps=[agent_step("a", when=When(step_id="b", cases=["x"]))]), "spec.plan.steps[0].when"),
        (Plan(steps=[Step(step_id="a", wait=WaitStep(approval="go?"))]), "spec.plan.steps[0].wait"),
    ],
)
def test_what_is_not_built_yet_is_said_to_be_so_with_its_path(plan: Plan, path: str) -> None:
    """Designed and not built is no mistake of the caller's, and never silently ignored."""
    with pytest.raises(Unimplemented) as caught:
        check_spec(spec_of(plan=plan), present=True)
    assert "not built yet" in caught.value.message
    assert path in caught.value.message


@given(st.integers(min_value=2**53, max_value=2**80) | st.integers(min_value=-(2**80), max_value=-(2**53)))
def test_no_whole_number_that_may_have_been_rounded_gets_through(number: int) -> None:
    """From 2^53 on two whole numbers share one double, so none of them is taken."""
    assert list(violations(plan_spec(tool_step({"n": number})))) == ["spec.plan.steps[0].tool.arguments.n"]


def test_a_plan_full_of_mistakes_is_refused_quickly() -> None:
    """A thousand steps with wrong references cost no more than a moment, and the answer stays readable."""
    steps = [agent_step(f"step-{n}", "${steps.stpe.output}" * 20) for n in range(1000)]
    begin = time.process_time()
    found = violations(plan_spec(*steps))
    assert time.process_time() - begin < 2
    assert 0 < len(found) <= 100
