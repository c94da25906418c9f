"""Tables and amounts read well at any width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.amounts import for_people, seconds_in
from penstock.cli.mesh_text import layers_text, names_table, status_text
from penstock.cli.table import columns_of, cut_at_word, table, wrapped
from penstock.v1.gateway_pb2 import CheckStatus, GetStatusResponse, LayerStatus

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"]), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6), st.sampled_from([20, 80, 120]))
def test_no_line_is_wider_than_the_screen_and_without_one_nothing_is_cut(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    """Wide characters count twice, as terminals show them."""
    head = ("A", "B", "C")
    assert all(columns_of(line) <= width for line in table(head, rows, width, "  ").splitlines())
    whole = table(head, rows).split("\n")
    assert len(whole) == len(rows) + 1
    for row, line in zip(rows, whole[1:], strict=True):
        assert all(cell in line for cell in row)


def test_columns_stand_below_their_heads() -> None:
    """Also below a wide character."""
    lines = table(("NAME", "N"), [("日本", "1"), ("ab", "2")]).splitlines()
    assert lines == ["NAME  N", "日本  1", "ab    2"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.0123, "12.3 ms"), (1.2345, "1.23 s"), (59.99, "60 s"), (61, "1 min 1 s"), (7265, "2 h 1 min")],
)
def test_durations_are_written_in_the_unit_that_fits(seconds: float, text: str) -> None:
    """With about three digits."""
    assert for_people(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("250ms", 0.25)])
def test_durations_are_read_in_every_unit(text: str, seconds: float) -> None:
    """As people type them."""
    assert seconds_in(text) == seconds


def test_why_a_layer_does_not_serve_is_told_below_the_table() -> None:
    """Where no screen is too narrow for it; a healthy layer has nothing to say."""
    away = LayerStatus(layer="tools", address="10.0.0.1:50054", reason="connection refused")
    text = layers_text([LayerStatus(layer="state", serving=True, address="in-process"), away], "  ")
    assert text.splitlines()[-2].split() == ["tools", "NOT", "SERVING", "10.0.0.1:50054", "-", "-", "-"]
    assert text.splitlines()[-1] == "  tools: connection refused"


@pytest.mark.parametrize("columns", [80, 120])
def test_layers_of_many_processes_fit_the_screen_and_keep_whole_addresses_and_instances(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """What the table has no room for stands below it; one instance of all layers is told once."""
    monkeypatch.setenv("COLUMNS", str(columns))
    where = "dns:///executor.penstock.svc.cluster.local:50051"
    layers = [
        LayerStatus(layer=name, serving=True, address=where, version="0.1.0", instance_id=f"penstockd-{name:a<26}")
        for name in ("gateway", "orchestrator", "executor")
    ]
    text = layers_text(layers)
    assert max(map(len, text.splitlines())) <= columns
    for layer in layers:
        assert layer.instance_id in text
    assert text.count(where) == 3
    for layer in layers:
        layer.instance_id, layer.address = "penstockd-one", "in-process"
    assert layers_text(layers).endswith("all in one process: penstockd-one")


def test_a_failed_check_that_is_the_layers_reason_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the reason leaves out is told too."""
    monkeypatch.delenv("COLUMNS", raising=False)
    checks = [CheckStatus(name="state", detail="can't be reached"), CheckStatus(name="disk", detail="is full")]
    executor = LayerStatus(layer="executor", reason="state: can't be reached", checks=checks)
    lines = status_text(GetStatusResponse(layers=[executor])).splitlines()
    assert lines[-2:] == ["executor: state: can't be reached", "executor: check disk did not pass: is full"]


def test_a_long_reason_is_wrapped_at_word_ends_and_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is cut, however narrow the screen."""
    monkeypatch.setenv("COLUMNS", "60")
    reason = "connection refused by the host " * 30
    below = layers_text([LayerStatus(layer="tools", reason=reason)]).split("\n", 2)[2]
    assert max(map(len, below.splitlines())) <= 60
    assert below.split() == f"tools: {reason}".split()


@pytest.mark.parametrize(("columns", "most"), [("", 120), ("60", 60)])
def test_a_long_description_is_cut_at_a_word_end(monkeypatch: pytest.MonkeyPatch, columns: str, most: int) -> None:
    """Also where no terminal is, so that no row is a paragraph."""
    monkeypatch.setenv("COLUMNS", columns)
    row = names_table([("search", "finds passages " * 30)], "tools").splitlines()[1]
    assert most - 12 <= len(row) <= most
    assert row.endswith((" finds…", " passages…"))


@given(st.text("ab \u65e5", max_size=40), st.integers(2, 30))
def test_a_cut_text_keeps_whole_words_within_the_width(words: str, width: int) -> None:
    """Only a first word that is too long by itself is cut."""
    text = " ".join(words.split())
    cut = cut_at_word(text, width)
    assert columns_of(cut) <= width
    if cut != text:
        kept = cut.removesuffix("…")
        assert text.startswith(kept)
        assert " " not in kept or text[len(kept)] == " "


def test_wrapping_leaves_ids_and_commands_in_one_piece() -> None:
    """They are there to be copied."""
    assert wrapped("try run-abcdef-ghijkl now", 10, "  ").split() == ["try", "run-abcdef-ghijkl", "now"]
