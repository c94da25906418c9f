"""What a run's spec must be like, apart from its plan."""

import pytest
from google.protobuf.duration_pb2 import Duration

from penstock.gateway.validate import check_spec
from penstock.v1.run_pb2 import Content, RunSpec
from penstock.wire.errors import InvalidArgument
from tests.gateway.specs import spec_of, violations

MIB = 1024 * 1024


@pytest.mark.parametrize(
    "spec",
    [
        spec_of(),
        spec_of(workflow="nightly-report.v2"),
        spec_of(idempotency_key="a:B_1.-", session_id="s" * 128),
        spec_of(timeout=Duration(seconds=30 * 24 * 3600)),
        spec_of(timeout=Duration(nanos=1)),
        spec_of(input=[Content(text=" "), Content(json='{"n": 123456789012345678901234567890}')]),
        spec_of(input=[Content(text="x" * MIB)]),
        spec_of(input=[Content(json="9" * 5000)]),
        spec_of(labels={"team": "x" * 256}),
    ],
)
def test_a_spec_within_the_rules_is_taken(spec: RunSpec) -> None:
    """Every limit is inclusive, and whole numbers in JSON may be of any size."""
    assert violations(spec) == {}


@pytest.mark.parametrize(
    ("spec", "path", "says"),
    [
        (RunSpec(input=[Content(text="hi")]), "spec.target", "agent"),
        (spec_of(agent=""), "spec.agent", "missing"),
        (spec_of(agent="no spaces"), "spec.agent", "'no spaces'"),
        (spec_of(workflow="../etc"), "spec.workflow", "'../etc'"),
        (spec_of(idempotency_key="k" * 129), "spec.idempotency_key", "128"),
        (spec_of(session_id="ümlaut"), "spec.session_id", "1 to 128"),
        (spec_of(on_busy=9), "spec.on_busy", "9"),
        (spec_of(durability=-1), "spec.durability", "-1"),
        (spec_of(timeout=Duration()), "spec.timeout", "more than 0"),
        (spec_of(timeout=Duration(seconds=-1)), "spec.timeout", "negative"),
        (spec_of(timeout=Duration(seconds=30 * 24 * 3600, nanos=1)), "spec.timeout", "30 days"),
        (spec_of(timeout=Duration(seconds=1, nanos=-1)), "spec.timeout", "malformed"),
        (spec_of(timeout=Duration(nanos=1_000_000_000)), "spec.timeout", "malformed"),
        (spec_of(input=[]), "spec.input", "empty"),
        (spec_of(input=[Content(text=""), Content(text=" \n\t")]), "spec.input", "blank"),
        (spec_of(input=[Content(json='" "')]), "spec.input", "blank"),
        (spec_of(input=[Content(text="a"), Content()]), "spec.input[1]", "text or json"),
        (spec_of(input=[Content(text="x" * MIB), Content(json="1")]), "spec.input", "1,048,576"),
        (spec_of(input=[Content(text="ü" * (MIB // 2) + "x")]), "spec.input", "1,048,577"),
        (spec_of(input=[Content(json="{")]), "spec.input[0].json", "line 1"),
        (spec_of(input=[Content(json="[NaN]")]), "spec.input[0].json", "NaN"),
        (spec_of(input=[Content(json='"\\ud800"')]), "spec.input[0].json", "surrogate"),
        (spec_of(input=[Content(json="[" * 100_000)]), "spec.input[0].json", "deep"),
        (spec_of(labels={"a b": "x"}), "spec.labels['a b']", "1 to 128"),
        (spec_of(labels={"a": "x" * 257}), "spec.labels[a]", "256"),
        (spec_of(labels={f"k{n}": "" for n in range(65)}), "spec.labels", "64"),
    ],
)
def test_each_broken_rule_is_told_with_its_path(spec: RunSpec, path: str, says: str) -> None:
    """One broken rule is one violation, which names the field and how to mend it."""
    found = violations(spec)
    assert list(found) == [path]
    assert says in found[path]


def test_all_mistakes_are_told_at_once() -> None:
    """A caller mends everything in one go."""
    spec = spec_of(
        idempotency_key="a b",
        agent="!",
        session_id="?",
        timeout=Duration(seconds=-5),
        labels={"": ""},
        on_busy=7,
        input=[],
    )
    assert set(violations(spec)) == {
        "spec.idempotency_key",
        "spec.agent",
        "spec.session_id",
        "spec.timeout",
        "spec.labels['']",
        "spec.on_busy",
        "spec.input",
    }


def test_a_request_without_a_spec_is_told_so() -> None:
    """The one violation is the spec itself, not everything that an empty one lacks."""
    with pytest.raises(InvalidArgument) as caught:
        check_spec(RunSpec(), present=False)
    assert [violation.field for violation in caught.value.violations] == ["spec"]
