"""Plans in files: read as the message's JSON form, and refused with the path of each mistake."""

import json
from pathlib import Path

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from penstock.v1.plan_pb2 import Plan
from penstock.wire.errors import InvalidArgument
from penstock.wire.plan_file import load_plan
from penstock.wire.plan_form import plan_from

WHOLE = """
sequential: true
steps:
  - stepId: count
    timeout: 30s
    tool: {tool: text_statistics, arguments: {text: "${input}", limits: [1, 2.5, null, true]}}
  - step_id: tell
    needs: [count]
    retry: {max_attempts: 3, initialBackoff: 0.5s, backoff_multiplier: 1.5}
    agent: {agent: summarise, task: "Of ${steps.count.output}"}
"""


def written(tmp_path: Path, text: str, name: str = "plan.yaml") -> Path:
    """A file that holds the text."""
    path = tmp_path / name
    path.write_text(text)
    return path


def mistakes(path: Path) -> dict[str, str]:
    """What is wrong with a plan in a file, by the path inside it."""
    with pytest.raises(InvalidArgument) as refused:
        load_plan(path)
    assert str(path) in refused.value.message
    return {violation.field: violation.description for violation in refused.value.violations}


def test_yaml_with_either_spelling_of_field_names_gives_the_plan(tmp_path: Path) -> None:
    """snake_case and camelCase, durations, and JSON values inside arguments all arrive."""
    plan = load_plan(written(tmp_path, WHOLE))
    assert [step.step_id for step in plan.steps] == ["count", "tell"]
    assert plan.steps[0].timeout.seconds == 30
    assert plan.steps[1].retry.initial_backoff.nanos == 500_000_000
    arguments = json_format.MessageToDict(plan.steps[0].tool.arguments)
    assert arguments == {"text": "${input}", "limits": [1, 2.5, None, True]}


def test_a_plans_own_json_form_loads_back_as_the_same_plan(tmp_path: Path) -> None:
    """What MessageToJson writes is a plan file, whichever spelling it uses."""
    plan = load_plan(written(tmp_path, WHOLE))
    for preserving in (True, False):
        text = json_format.MessageToJson(plan, preserving_proto_field_name=preserving)
        assert load_plan(written(tmp_path, text, "plan.json")) == plan
        assert load_plan(written(tmp_path, text, "same.yaml")) == plan


def test_all_mistakes_are_told_at_once_with_their_paths(tmp_path: Path) -> None:
    """A person mends a file in one go."""
    found = mistakes(
        written(
            tmp_path,
            """
steps:
  - step_id: 5
    agnt: {}
    timeout: 30
    retry: {max_attempts: no, initial_backoff: soon}
    agent: {agent: x}
    tool: {tool: y}
  - just text
sequential: "yes"
steeps: []
""",
        )
    )
    assert list(found) == [
        "steps[0].step_id",
        "steps[0].agnt",
        "steps[0].timeout",
        "steps[0].retry.max_attempts",
        "steps[0].retry.initial_backoff",
        "steps[0].tool",
        "steps[1]",
        "sequential",
        "steeps",
    ]
    assert "did you mean agent" in found["steps[0].agnt"]
    assert 'in seconds, such as "90s"' in found["steps[0].timeout"]
    assert "beside agent" in found["steps[0].tool"]


@pytest.mark.parametrize("name", ["plan.yaml", "plan.json"])
def test_whole_numbers_beyond_2_to_the_53_are_refused_with_their_path(tmp_path: Path, name: str) -> None:
    """google.protobuf.Value would round them without a word."""
    arguments = {"fits": 2**53, "one": 2**53 + 1, "deep": [{"far": -(2**64)}]}
    text = json.dumps({"steps": [{"step_id": "a", "tool": {"tool": "t", "arguments": arguments}}]})
    found = mistakes(written(tmp_path, text, name))
    assert set(found) == {"steps[0].tool.arguments.one", "steps[0].tool.arguments.deep[0].far"}


@given(st.integers(-(2**70), 2**70))
def test_a_number_in_a_plan_keeps_every_digit_or_is_refused(number: int) -> None:
    """Nothing is rounded on the way."""
    form = {"steps": [{"tool": {"tool": "t", "arguments": number}}]}
    try:
        kept = plan_from(form).steps[0].tool.arguments.number_value
    except InvalidArgument:
        assert abs(number) > 2**53
    else:
        assert int(kept) == number


def test_times_may_stand_without_quotes(tmp_path: Path) -> None:
    """YAML would make them dates, which JSON does not know."""
    plan = load_plan(written(tmp_path, "steps: [{step_id: a, wait: {until_time: 2030-01-31T08:00:00Z}}]"))
    assert plan.steps[0].wait.until_time.ToJsonString() == "2030-01-31T08:00:00Z"
    dated = load_plan(written(tmp_path, "steps: [{tool: {tool: t, arguments: {day: 2030-01-31}}}]"))
    assert dated.steps[0].tool.arguments.struct_value.fields["day"].string_value == "2030-01-31"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sequential: true\nsequential: false", "line 2, column 1: 'sequential' is there twice"),
        ("steps: [", "is no YAML: line 1"),
        ("a: &a [1]\nb: *a", "aliases"),
        ("? [1, 2]\n: 3", "a key is not plain text"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("just text", "a map with `steps`"),
        ("", "a map with `steps`"),
        ("{" * 3000, "is no YAML"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    """Never a traceback, never a silent choice between two values."""
    assert says in " ".join(mistakes(written(tmp_path, text)).values())


def test_json_with_a_repeated_key_is_refused(tmp_path: Path) -> None:
    """The usual parser keeps the last without a word."""
    found = mistakes(written(tmp_path, '{"steps": [], "steps": []}', "plan.json"))
    assert "'steps' is there twice" in found["(file)"]


def test_a_file_that_cant_be_read_is_named(tmp_path: Path) -> None:
    """Missing, not text, and too big."""
    assert "No such file" in mistakes(tmp_path / "missing.yaml")["(file)"]
    (tmp_path / "latin.yaml").write_bytes(b"steps: \xff")
    assert "not UTF-8 at byte 7" in mistakes(tmp_path / "latin.yaml")["(file)"]
    assert "more than the" in mistakes(written(tmp_path, "#" * (1024 * 1024 + 1)))["(file)"]


def test_values_nested_too_deep_for_the_wire_are_refused_with_a_path() -> None:
    """Protobuf decoders give up at a hundred nested messages, and then say nothing useful."""
    value: object = 1
    for _ in range(40):
        value = {"a": value}
    with pytest.raises(InvalidArgument, match="levels deep"):
        plan_from({"steps": [{"tool": {"tool": "t", "arguments": value}}]})


def test_the_deepest_value_that_is_taken_survives_the_wire() -> None:
    """The limit is on the safe side."""
    value: object = 1
    for _ in range(24):
        value = {"a": value}
    plan = plan_from({"steps": [{"tool": {"tool": "t", "arguments": value}}]})
    assert Plan.FromString(plan.SerializeToString()) == plan
