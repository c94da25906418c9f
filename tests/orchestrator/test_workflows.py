"""Named plans, and when their steps are tried again."""

import grpc
import pytest
from google.rpc.status_pb2 import Status

from penstock.orchestrator.retry import may_retry, pause_before
from penstock.orchestrator.workflows import Workflows
from penstock.v1.plan_pb2 import RetryPolicy
from penstock.wire.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted, Unavailable
from penstock.wire.status import failed_status, to_status

GOOD = "sequential: true\nsteps:\n  - {step_id: one, agent: {agent: echo}}\n"


def written(path, **files):
    """Writes files and returns their names."""
    for name, text in files.items():
        (path / f"{name}.yaml").write_text(text)
    return [str(path / f"{name}.yaml") for name in files]


def test_a_workflow_is_named_as_its_file(tmp_path):
    """And one that there is not is answered with the nearest names."""
    workflows = Workflows.load(written(tmp_path, summary=GOOD))
    assert [step.step_id for step in workflows.get("summary").steps] == ["one"]
    with pytest.raises(NotFound, match="did you mean 'summary'"):
        workflows.get("sumary")


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path):
    """With the place of each."""
    files = written(tmp_path, empty="steps: []\n", broken="steps: [", doubled=GOOD + GOOD.split("steps:\n")[1])
    files += [str(tmp_path / "missing.yaml"), *written(tmp_path, good=GOOD)]
    with pytest.raises(InvalidArgument) as raised:
        Workflows.load(files)
    told = str([(violation.field, violation.description) for violation in raised.value.violations])
    for expected in ("empty.yaml", "broken.yaml", "doubled.yaml", "missing.yaml"):
        assert expected in told
    assert "good.yaml" not in told


def test_two_files_of_one_name_are_a_mistake(tmp_path):
    """Neither may hide the other."""
    (tmp_path / "other").mkdir()
    files = written(tmp_path, plan=GOOD) + written(tmp_path / "other", plan=GOOD)
    with pytest.raises(InvalidArgument, match="there is a workflow 'plan' already"):
        Workflows.load(files)


FAILED = failed_status(grpc.StatusCode.INTERNAL, "failed", "AGENT_FAILED")


@pytest.mark.parametrize("failures", [1, 2, 5, 99, 10_000])
def test_the_pause_before_another_attempt_stays_within_its_bounds(failures):
    """Between half and all of the exponential one, and never over the most."""
    policy = RetryPolicy(max_attempts=100, backoff_multiplier=3)
    policy.initial_backoff.FromMilliseconds(100)
    policy.max_backoff.FromSeconds(7)
    whole = min(7.0, 0.1 * 3 ** min(failures - 1, 50))
    assert all(whole / 2 <= pause_before(policy, failures, FAILED) <= whole for _ in range(100))


def test_a_pause_that_no_number_could_hold_is_the_longest_one():
    """Whatever multiplier a plan has."""
    policy = RetryPolicy(max_attempts=100, backoff_multiplier=1e300)
    policy.max_backoff.FromSeconds(7)
    assert 3.5 <= pause_before(policy, 90, FAILED) <= 7


def test_a_step_is_tried_as_often_as_its_plan_says_unless_a_tool_may_have_had_its_effect():
    """Trying again could double it."""
    policy = RetryPolicy(max_attempts=3)
    unknown = failed_status(grpc.StatusCode.UNKNOWN, "unknown", "TOOL_OUTCOME_UNKNOWN")
    assert [may_retry(policy, failures, FAILED) for failures in (1, 2, 3)] == [True, True, False]
    assert not may_retry(policy, 1, unknown)
    assert not may_retry(RetryPolicy(), 1, Status())


def test_a_failure_that_would_only_come_again_is_not_tried_again():
    """A model that is not there, or a key that is not accepted, is the same for the next attempt; an outage is not."""
    policy = RetryPolicy(max_attempts=3)
    hopeless = NotFound("no such model", reason="MODEL_NOT_FOUND"), FailedPrecondition("wrong key", reason="NO_KEY")
    assert not any(may_retry(policy, 1, to_status(error)) for error in hopeless)
    assert may_retry(policy, 1, to_status(Unavailable("the model server failed")))


def test_a_failure_that_says_when_to_come_again_is_not_tried_before():
    """A provider's Retry-After outlasts the plan's own pause, and a shorter one does not shorten it."""
    policy = RetryPolicy(max_attempts=3)
    policy.initial_backoff.FromSeconds(2)
    later = to_status(ResourceExhausted("too many requests", reason="MODEL_RATE_LIMITED", retry_after=90))
    soon = to_status(ResourceExhausted("too many requests", reason="MODEL_RATE_LIMITED", retry_after=0.001))
    assert pause_before(policy, 1, later) == 90
    assert 1 <= pause_before(policy, 1, soon) <= 2
