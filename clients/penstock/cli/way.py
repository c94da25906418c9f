"""`penstock way`: the way a run went."""

from typing import TYPE_CHECKING

import typer

from penstock.cli.options import DEFAULT_ADDRESS, Address, AsJson, RunId

if TYPE_CHECKING:
    from penstock.cli.run_way import RunWay
    from penstock.client import Client
    from penstock.v1.gateway_pb2 import GetStatusResponse

WAY_EXAMPLES = """Examples:

penstock way RUN_ID

penstock way RUN_ID --json | jq '.events[] | select(.tool_call)'
"""


def way(run_id: RunId, as_json: AsJson = False, address: Address = DEFAULT_ADDRESS) -> None:
    """Show the way a run went: its steps, tool calls, events and durations, and the layers as they are now."""
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json_object
    from penstock.cli.run_way import read_way
    from penstock.cli.way_text import way_text

    async def log(client: "Client") -> "RunWay":
        return await read_way(client, run_id)

    async def both(client: "Client") -> "tuple[RunWay, GetStatusResponse]":
        return await read_way(client, run_id), await client.get_status()

    if as_json:
        way = ask(address, log)
        print_json_object({"run": way.run, "events": way.log})
    else:
        typer.echo(way_text(*ask(address, both)))
