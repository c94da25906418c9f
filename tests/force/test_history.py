"""The observer that all proofs by force rely on sees the faults that it is there to see."""

import pytest

from penstock.v1.run_event_pb2 import RunEvent, RunFinished, Token
from penstock.v1.run_log_pb2 import AppendEventsResult
from tests.force.history import History, PromiseBroken, check_whole


def said(sequence: int, text: str) -> RunEvent:
    """A token in a log."""
    return RunEvent(sequence=sequence, token=Token(text=text))


def ended(sequence: int) -> RunEvent:
    """The end of a log."""
    return RunEvent(sequence=sequence, run_finished=RunFinished())


LOG = [said(1, "1.0"), said(2, "2.0"), said(3, "2.1"), ended(4)]


def test_an_event_that_changes_within_its_generation_is_found() -> None:
    """Other bytes under a number already seen break the promise; under a new generation they don't."""
    history = History("run-1")
    history.saw(1, said(1, "1.0"))
    history.saw(1, said(1, "1.0"))
    history.saw(2, said(1, "1.1"))
    with pytest.raises(PromiseBroken, match="event 1 of generation 1"):
        history.saw(1, said(1, "1.1"))


def test_what_was_seen_and_is_gone_from_the_log_is_found() -> None:
    """Up to the last common number the log has what was seen; beyond it, it need not."""
    history = History("run-1")
    history.saw(1, said(3, "9.9"))
    history.agrees_with(LOG, 1, common=2)
    with pytest.raises(PromiseBroken, match="seen in generation 1"):
        history.agrees_with(LOG, 1, common=3)


def test_an_acknowledged_entry_that_is_not_in_the_log_is_found() -> None:
    """Its tokens stand where the writer was told."""
    history = History("run-1")
    history.kept(2, AppendEventsResult(generation=1, first_sequence=2, last_sequence=3), ["2.0", "2.1"])
    history.agrees_with(LOG, 1, common=4)
    history.kept(3, AppendEventsResult(generation=1, first_sequence=4, last_sequence=4), ["3.0"])
    with pytest.raises(PromiseBroken, match="entry 3"):
        history.agrees_with(LOG, 1, common=4)


def test_a_repeat_that_gets_other_numbers_is_found() -> None:
    """Within a generation an entry has one place."""
    history = History("run-1")
    history.kept(1, AppendEventsResult(generation=1, first_sequence=1, last_sequence=1), ["1.0"])
    with pytest.raises(PromiseBroken, match="and again as"):
        history.kept(1, AppendEventsResult(generation=1, first_sequence=2, last_sequence=2), ["1.0"])


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        ([LOG[0], LOG[2], LOG[3]], "numbers"),
        ([LOG[0], LOG[0], LOG[1]], "numbers"),
        (LOG[:3], "run_finished"),
        ([ended(1), ended(2)], "run_finished"),
        ([said(1, "1.0"), said(2, "1.0"), ended(3)], "twice or out of order"),
        ([said(1, "2.0"), said(2, "1.0"), ended(3)], "twice or out of order"),
    ],
    ids=["gap", "repeat", "no end", "two ends", "entry twice", "entries swapped"],
)
def test_a_log_that_is_not_whole_is_found(log: list[RunEvent], fault: str) -> None:
    """Gaps, repeats, a missing or second end, and entries that are there twice or swapped."""
    check_whole("run-1", LOG)
    with pytest.raises(PromiseBroken, match=fault):
        check_whole("run-1", log)
