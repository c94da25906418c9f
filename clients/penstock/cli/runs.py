"""`penstock runs`, `get` and `cancel`: runs as they stand."""

from contextlib import aclosing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, cast

import typer

from penstock.cli.complete import complete_session
from penstock.cli.options import DEFAULT_ADDRESS, Address, AsJson, RunId

if TYPE_CHECKING:
    from penstock.client import Client, Run

RUNS_EXAMPLES = """Examples:

penstock runs --state running --state queued

penstock runs --json | jq -r 'select(.state == "RUN_STATE_FAILED").run_id'
"""

GET_EXAMPLES = """Examples:

penstock get RUN_ID

penstock get RUN_ID --json | jq -r '.output[].text'
"""

CANCEL_EXAMPLES = """Examples:

penstock cancel RUN_ID --reason "no longer needed"

penstock cancel RUN_ID --json | jq -r .state
"""


class State(StrEnum):
    """Represents a run's state, as an option's value."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


def runs(
    session: Annotated[str, typer.Option(help="Only runs of this session.", autocompletion=complete_session)] = "",
    state: Annotated[list[State] | None, typer.Option(help="Only runs in this state; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(help="Most runs to list.", min=1)] = 20,
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """List runs, newest first."""
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json
    from penstock.cli.run_text import runs_table
    from penstock.client import RunState

    async def newest(client: "Client") -> "list[Run]":
        # Enum values are plain numbers at run time, and `Value` is typed as giving those.
        states = [cast("RunState", RunState.Value(f"RUN_STATE_{s.value.upper()}")) for s in state or []]
        found: list[Run] = []
        listing = client.list_runs(session=session, states=states, page_size=min(limit, 1000))
        async with aclosing(listing) as runs:
            async for run in runs:
                found.append(run)
                if len(found) == limit:
                    break
        return found

    found = ask(address, newest)
    if as_json:
        for run in found:
            print_json(run)
    else:
        typer.echo(runs_table(found) if found else "no runs")


def get(run_id: RunId, as_json: AsJson = False, address: Address = DEFAULT_ADDRESS) -> None:
    """Show a run as it stands, with its answer."""
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json
    from penstock.cli.run_text import run_text

    async def get_run(client: "Client") -> "Run":
        return await client.get_run(run_id)

    run = ask(address, get_run)
    if as_json:
        print_json(run)
    else:
        typer.echo(run_text(run))


def cancel(
    run_id: RunId,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Ask for a run's end."""
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json
    from penstock.cli.run_text import state_name

    async def cancel_run(client: "Client") -> "Run":
        return await client.cancel_run(run_id, reason)

    run = ask(address, cancel_run)
    if as_json:
        print_json(run)
        return
    over = state_name(run.state) in ("SUCCEEDED", "FAILED", "CANCELLED")
    typer.echo(f"{run.run_id} {'is ' + state_name(run.state) if over else 'will end soon'}")
