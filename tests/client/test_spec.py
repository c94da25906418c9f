"""What to run, as Python says it, becomes the RunSpec of the contract."""

from datetime import timedelta
from typing import Any

import pytest

from penstock.client import Content, OnBusy, Plan
from penstock.client.spec import run_spec
from penstock.v1.run_pb2 import Durability
from penstock.wire.errors import InvalidArgument


def test_all_that_can_be_said_of_a_run_arrives_in_its_spec() -> None:
    """Each keyword has its field."""
    spec = run_spec(
        ["look at", Content(json="[1]")],
        agent="echo",
        session="s",
        on_busy="reject",
        timeout=1.5,
        labels={"k": "v"},
        idempotency_key="key",
        durability="power",
    )
    assert list(spec.input) == [Content(text="look at"), Content(json="[1]")]
    assert (spec.agent, spec.session_id, spec.on_busy, spec.idempotency_key) == (
        "echo", "s", OnBusy.ON_BUSY_REJECT, "key",
    )  # fmt: skip
    assert spec.timeout.ToTimedelta() == timedelta(seconds=1.5)
    assert spec.durability == Durability.DURABILITY_POWER
    assert dict(spec.labels) == {"k": "v"}


def test_a_plan_may_be_a_message_or_a_mapping() -> None:
    """Both give the same spec."""
    mapping = {"steps": [{"stepId": "a", "agent": {"agent": "echo"}}]}
    message = Plan()
    message.steps.add(step_id="a").agent.agent = "echo"
    assert run_spec("t", plan=mapping).plan == run_spec("t", plan=message).plan == message


def test_without_a_key_each_spec_has_one_of_its_own() -> None:
    """So that a call which gRPC sends twice starts nothing twice."""
    assert len({run_spec("t").idempotency_key for _ in range(10)} - {""}) == 10


def test_more_than_one_target_is_refused_by_name() -> None:
    """Nobody has to guess which of them runs."""
    with pytest.raises(InvalidArgument, match="agent and workflow"):
        run_spec("t", agent="a", workflow="w")


def test_an_option_that_there_is_not_is_refused_by_name() -> None:
    """A misspelt session that is left out would be a conversation without its history."""
    misspelt: Any = {"agent": "a", "sesion": "tuesday"}
    with pytest.raises(TypeError, match=r"no such option: sesion; there are .*session"):
        run_spec("t", **misspelt)


def test_a_durability_that_there_is_not_is_refused_with_those_that_are() -> None:
    """Nothing is less safe than its caller believes."""
    misspelt: Any = {"durability": "forever"}
    with pytest.raises(InvalidArgument, match="process, power or replica, not 'forever'"):
        run_spec("t", **misspelt)


@pytest.mark.parametrize("timeout", [float("inf"), float("nan"), 1e300, "30s"])
def test_a_timeout_that_is_no_stretch_of_time_is_refused(timeout: Any) -> None:
    """What the contract can't even say is told here."""
    with pytest.raises(InvalidArgument, match="timeout"):
        run_spec("t", timeout=timeout)


def test_a_negative_timeout_is_the_servers_to_judge() -> None:
    """There is one place that knows the limits."""
    assert run_spec("t", timeout=-1).timeout.seconds == -1
