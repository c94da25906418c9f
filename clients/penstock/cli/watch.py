"""Which way of watching a run fits where it is watched."""

from penstock.cli.json_view import JsonView
from penstock.cli.plain_view import PlainView
from penstock.cli.terminal import can_redraw
from penstock.cli.view import View
from penstock.client import Transcript


def view_of(transcript: Transcript, *, as_json: bool = False, plain: bool = False) -> View:
    """Returns the view: JSON where it was asked for, drawn anew on a terminal that can, and plain lines elsewhere."""
    if as_json:
        return JsonView(transcript)
    if plain or not can_redraw():
        return PlainView(transcript)
    from penstock.cli.live_view import LiveView

    return LiveView(transcript)
