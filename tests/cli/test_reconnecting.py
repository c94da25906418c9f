"""A lost connection is told, and the view goes on."""

import json

import pytest

from tests.cli.conftest import OnTerminal, Run
from tests.cli.test_live import id_in
from tests.cli.wire_cutter import wire_to


@pytest.mark.parametrize("flags", [(), ("--plain",), ("--json",)], ids=["live", "plain", "json"])
def test_a_cut_connection_is_told_and_the_run_read_on_where_it_was(
    on_terminal: OnTerminal, told: Run, talking: str, flags: tuple[str, ...]
) -> None:
    """Nothing is missed, and nothing comes twice."""
    with wire_to(talking) as wire:
        shown = on_terminal("run", "hello", "--agent", "waits", *flags, PENSTOCK_ADDRESS=wire.address)
        shown.expect("heard hello")
        wire.cut()
        shown.expect("connection lost; attaching again after event 3 …")
        run_id = json.loads(told("runs", "--limit", "1", "--json").stdout)["run_id"]
        told("cancel", run_id)
        assert shown.finish() == 1
    assert f"{run_id} CANCELLED" in " ".join(shown.screen.text.split())
    assert shown.screen.text.count("heard hello") == 1
    assert shown.screen.text.count("connection lost") == 1


def test_a_run_that_is_silent_after_a_lost_connection_is_not_shown_as_lost(
    on_terminal: OnTerminal, told: Run, talking: str
) -> None:
    """One line that stays tells it; what is drawn is how things are."""
    with wire_to(talking) as wire:
        shown = on_terminal("run", "hello", "--agent", "waits", PENSTOCK_ADDRESS=wire.address)
        shown.expect("heard hello")
        wire.hold()
        wire.cut()
        shown.expect("connection lost", 2)
        wire.go_on()
        shown.expect_screen(lambda text: text.count("connection lost") == 1 and "RUNNING" in text)
    told("cancel", id_in(shown.screen.text))


def test_ctrl_c_while_the_connection_is_lost_leaves_the_run_going(
    on_terminal: OnTerminal, told: Run, talking: str
) -> None:
    """And says how to read on from where it was."""
    with wire_to(talking) as wire:
        shown = on_terminal("run", "hello", "--agent", "waits", PENSTOCK_ADDRESS=wire.address)
        shown.expect("heard hello")
        wire.close()
        shown.expect("connection lost")
        shown.type("\x03")
        shown.expect("cancels it")
        shown.type("\n")
        assert shown.finish() == 130
    run_id = id_in(shown.screen.text)
    assert f"penstock attach {run_id} --after 3" in shown.screen.text
    told("cancel", run_id)
