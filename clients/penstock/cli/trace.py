"""`penstock trace`: where a run's time went."""

from typing import TYPE_CHECKING

import typer

from penstock.cli.options import DEFAULT_ADDRESS, Address, AsJson, RunId

if TYPE_CHECKING:
    from penstock.cli.run_way import RunWay
    from penstock.client import Client

TRACE_EXAMPLES = """Examples:

penstock trace RUN_ID

penstock trace RUN_ID --json | jq '.spans[] | select(.kind == "tool").name'

In the bars, ░ is waiting (in the queue, for the first token, for a call to be claimed) and █ what came of it; … and \
▸ mark what still goes on. These spans come from the run's log; those of each call between layers are in your tracing \
backend, under the trace id.
"""


def trace(run_id: RunId, as_json: AsJson = False, address: Address = DEFAULT_ADDRESS) -> None:
    """Show a run's spans as a tree with a waterfall: queue, steps, attempts, turns, tool calls; also while it goes."""
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json_object
    from penstock.cli.run_way import read_way
    from penstock.cli.trace_text import trace_object, trace_text

    async def log(client: "Client") -> "RunWay":
        return await read_way(client, run_id)

    way = ask(address, log)
    if as_json:
        print_json_object(trace_object(way))
    else:
        typer.echo(trace_text(way))
