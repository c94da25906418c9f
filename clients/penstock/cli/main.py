"""`penstock`: the command line of a Penstock mesh."""

import sys
from typing import Annotated

import typer

from penstock.cli import mesh, run, runs, way

EXAMPLES = """Try it:

penstock status

penstock run "Summarise: …"

penstock run --file article.txt --session tuesday

penstock attach RUN_ID --after 42

Exit codes: 0 the run succeeded; 1 it failed or was cancelled; 2 wrong usage; 3 the call failed; 130 Ctrl-C.
"""

app = typer.Typer(
    name="penstock",
    help="Run agents on a Penstock mesh, and read what they said: a token you have seen is in the log.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command(epilog=run.RUN_EXAMPLES)(run.run)
app.command()(run.attach)
app.command()(runs.runs)
app.command()(runs.get)
app.command()(runs.cancel)
app.command()(way.way)
app.command()(mesh.status)
app.command()(mesh.agents)
app.command()(mesh.tools)


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
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an old terminal's encoding is no reason to lose a run's view
    app()
