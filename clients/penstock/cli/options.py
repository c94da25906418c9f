"""Options that several commands share."""

from typing import Annotated

import typer

Address = Annotated[
    str, typer.Option("--address", envvar="PENSTOCK_ADDRESS", help="Where the gateway is.", metavar="HOST:PORT")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, with the proto's field names.")]
RunId = Annotated[str, typer.Argument(help="The run.", metavar="RUN_ID")]

DEFAULT_ADDRESS = "127.0.0.1:50051"
