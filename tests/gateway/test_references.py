"""References in plans: what is found, and what takes their place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.wire.references import JsonValue, Reference, Source, escape, find, resolve

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def named(reference: Reference) -> JsonValue:
    return f"<{reference.source.value}:{reference.step_id}>"


def test_references_are_found_with_their_place_and_their_step() -> None:
    """A reference tells where it stands and what it stands for, also when a step's id holds dots."""
    text = "a ${input} b ${steps.fetch.v1.output}!"
    first, second = find(text)
    assert (first.source, first.text) == (Source.INPUT, "${input}")
    assert (second.source, second.step_id) == (Source.STEP, "fetch.v1")
    assert [text[reference.start : reference.end] for reference in (first, second)] == [first.text, second.text]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("${item}", Source.ITEM),
        ("${index}", Source.INDEX),
        ("${}", Source.UNKNOWN),
        ("${inputs}", Source.UNKNOWN),
        ("${ input }", Source.UNKNOWN),
        ("${steps.a}", Source.UNKNOWN),
        ("${steps..output}", Source.UNKNOWN),
        ("tail ${steps.a.output", Source.UNKNOWN),
    ],
)
def test_what_only_looks_like_a_reference_is_found_as_unknown(text: str, source: Source) -> None:
    """Nothing that begins like a reference passes silently as plain text."""
    assert [reference.source for reference in find(text)] == [source]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("$${input}", "${input}"),
        ("$$${input}", "$${input}"),
        ("costs $5 {really}", "costs $5 {really}"),
        ("$${a} and ${input}", "${a} and <input:>"),
        ("${input} and ${input}", "<input:> and <input:>"),
        ("${${input}}", None),
    ],
)
def test_escapes_stand_for_what_would_begin_a_reference(text: str, meant: str | None) -> None:
    """`$${` is a plain `${`, wherever it stands; a reference inside a reference is none."""
    if meant is None:
        assert find(text)[0].source is Source.UNKNOWN
    else:
        assert resolve(text, named) == meant


@given(JSON)
def test_a_text_that_is_one_reference_becomes_the_value_itself(value: JsonValue) -> None:
    """Types survive: a list stays a list, a number keeps every digit."""
    assert resolve("${input}", lambda _: value) == value
    assert resolve({"deep": ["${input}"]}, lambda _: value) == {"deep": [value]}


@given(JSON.filter(lambda value: not isinstance(value, str)))
def test_inside_a_longer_text_a_value_is_written_as_json(value: JsonValue) -> None:
    """What isn't text goes into a text as JSON that reads back as the value."""
    resolved = resolve("got ${input}", lambda _: value)
    assert isinstance(resolved, str)
    assert json.loads(resolved.removeprefix("got ")) == value


@given(st.text(alphabet="${}inputsteps.ao", max_size=30))
def test_an_escaped_text_comes_out_as_it_was(text: str) -> None:
    """Escaping is exact for any text, however much it looks like references."""
    assert find(escape(text)) == []
    assert resolve(escape(text), named) == text


@given(st.text(alphabet="${}inputsteps.ao", max_size=40))
def test_what_is_not_a_reference_stays_as_it_is(text: str) -> None:
    """Between references and escapes nothing is lost, added or moved."""
    back = resolve("x" + text, lambda reference: reference.text)
    assert back == "x" + text.replace("$${", "${")


def test_keys_and_values_that_are_no_text_are_left_alone() -> None:
    """Only text holds references; an object's keys are names."""
    value: JsonValue = {"${input}": 1, "b": [True, None, 2.5]}
    assert resolve(value, named) == value
