"""Options that several commands share."""

from typing import Annotated

import typer

from penstock.cli.complete import complete_agent, complete_run

Address = Annotated[
    str,
    typer.Option(
        "--address", envvar="PENSTOCK_ADDRESS", help="Where the gateway is; several with commas.", metavar="HOST:PORT"
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON for jq, one object a line; 64-bit numbers are strings.")
]
Plain = Annotated[bool, typer.Option("--plain", help="Print plain lines, also on a terminal.")]
RunId = Annotated[str, typer.Argument(help="The run.", metavar="RUN_ID", autocompletion=complete_run)]
Agent = Annotated[
    str | None,
    typer.Option(
        help="The agent. Without any target: the only one there is.", show_default=False, autocompletion=complete_agent
    ),
]

DEFAULT_ADDRESS = "127.0.0.1:50051"
