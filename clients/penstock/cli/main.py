"""`penstock`: the command line of a Penstock mesh."""

import signal
import sys
from typing import Annotated

import typer

from penstock.cli import chat, events, mesh, run, runs, sessions, trace, way
from penstock.cli.streams import give_up_output, is_text, prepare_streams

EXAMPLES = """Try it:

penstock status

penstock run "Summarise: …" --agent summarise

penstock run --file article.txt --session tuesday

penstock chat --agent summarise

penstock attach RUN_ID --after 42

penstock trace RUN_ID

penstock events follow penstock.runs

Every command takes --json: one object a line on stdout, with the proto's field names, for jq; 64-bit numbers are \
strings there. `penstock COMMAND --help` has examples. PENSTOCK_ADDRESS says where the gateway is, or several with \
commas between.

Tab completes commands, agents, runs and conversations after `penstock --install-completion`.

Exit codes: 0 the run succeeded; 1 it failed or was cancelled; 2 wrong usage; 3 the call failed; 130 Ctrl-C.
"""

app = typer.Typer(
    name="penstock",
    help="Run agents on a Penstock mesh, and read what they said: a token you have seen is in the log.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command(epilog=run.RUN_EXAMPLES)(run.run)
app.command(epilog=run.ATTACH_EXAMPLES)(run.attach)
app.command(epilog=chat.CHAT_EXAMPLES)(chat.chat)
app.command(epilog=runs.RUNS_EXAMPLES)(runs.runs)
app.command(epilog=runs.GET_EXAMPLES)(runs.get)
app.command(epilog=runs.CANCEL_EXAMPLES)(runs.cancel)
app.command(epilog=way.WAY_EXAMPLES)(way.way)
app.command(epilog=trace.TRACE_EXAMPLES)(trace.trace)
app.command(epilog=sessions.SESSIONS_EXAMPLES)(sessions.sessions)
app.add_typer(events.app, name="events")
app.command(epilog=mesh.STATUS_EXAMPLES)(mesh.status)
app.command(epilog=mesh.AGENTS_EXAMPLES)(mesh.agents)
app.command(epilog=mesh.TOOLS_EXAMPLES)(mesh.tools)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"penstock {version('penstock')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of `penstock` itself."""


def main() -> None:
    """Runs the command that was typed."""
    # By an exception, so that a terminal which was being drawn on is left in order.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    prepare_streams()
    for number, argument in enumerate(sys.argv[1:], 1):
        if not is_text(argument):
            print(f"error: argument {number} is not text in this terminal's encoding: {argument!r}", file=sys.stderr)
            sys.exit(2)
    try:
        app()
    except OSError as error:
        give_up_output()
        print(f"error: the output can't be written: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
