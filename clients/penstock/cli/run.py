"""`penstock run` and `penstock attach`: a run, followed to its end."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.complete import complete_session, complete_workflow
from penstock.cli.options import DEFAULT_ADDRESS, Address, Agent, AsJson, Plain, RunId

if TYPE_CHECKING:
    from penstock.cli.follow import OnReconnect
    from penstock.client import Client, Run, RunOptions, RunStream

RUN_EXAMPLES = """Examples:

penstock run "Summarise: The quick brown fox …" --agent summarise

penstock run --file article.txt          (or --file - for stdin)

penstock run "Summarise" --plan plan.yaml --session tuesday

penstock run "…" --json | jq -rj '.token.text // empty'

penstock run "…" --detach --json | jq -r .run_id

With --json each line is one event of the run's log, with the proto's field names; 64-bit numbers are strings there.
"""

ATTACH_EXAMPLES = """Examples:

penstock attach RUN_ID

penstock attach RUN_ID --after 42

penstock attach RUN_ID --json | jq -c 'select(.tool_call) | .tool_call'
"""


class OnBusy(StrEnum):
    """Represents what a second run on a session does."""

    ENQUEUE = "enqueue"
    REJECT = "reject"
    INTERRUPT = "interrupt"


class Durable(StrEnum):
    """Represents what a run's log is to survive."""

    PROCESS = "process"
    POWER = "power"
    REPLICA = "replica"


def run(
    task: Annotated[str | None, typer.Argument(help="What the agent is to do.", show_default=False)] = None,
    file: Annotated[
        str | None, typer.Option(help="A file with the text (UTF-8), `-` for stdin; follows TASK if both are given.")
    ] = None,
    agent: Agent = None,
    plan: Annotated[Path | None, typer.Option(help="A plan of steps, in YAML or JSON.", dir_okay=False)] = None,
    workflow: Annotated[
        str | None,
        typer.Option(help="A workflow that the server knows.", show_default=False, autocompletion=complete_workflow),
    ] = None,
    session: Annotated[
        str, typer.Option(help="The conversation to continue, or to begin.", autocompletion=complete_session)
    ] = "",
    on_busy: Annotated[OnBusy | None, typer.Option(help="What to do while the --session has another run.")] = None,
    timeout: Annotated[str | None, typer.Option(help="Time for the run, such as 30s, 5m or 2h.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A mark of your own; may be repeated.", metavar="K=V")] = None,
    key: Annotated[str, typer.Option(help="Makes the command safe to repeat: the same key is the same run.")] = "",
    durability: Annotated[
        Durable | None,
        typer.Option(
            case_sensitive=False, help="What its log is to survive: the death of a process, of power, of a server."
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and leave it to itself.")] = False,
    plain: Plain = False,
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Run a task, and print what the agent says as it says it.

    The answer goes to stdout, everything else to stderr.

    On a terminal Ctrl-C asks whether to cancel the run. Pressed twice, and
    elsewhere, it leaves the run going and tells how to attach again.
    """
    # Everything below is imported when a command needs it: `--help` answers at once.
    from penstock.cli.follow import follow_run
    from penstock.cli.input import input_parts, labels_of, plan_in, timeout_of
    from penstock.cli.target import only_agent

    if sum(target is not None for target in (agent, plan, workflow)) > 1:
        raise typer.BadParameter("give one of --agent, --plan and --workflow")
    if on_busy and not session:
        raise typer.BadParameter("it needs --session: a run without one has nobody to wait for", param_hint="--on-busy")
    parts = input_parts(task, file)
    options: RunOptions = {
        "agent": agent or "",
        "plan": plan_in(plan) if plan else None,
        "workflow": workflow or "",
        "session": session,
        "on_busy": on_busy.value if on_busy else None,
        "timeout": timeout_of(timeout),
        "labels": labels_of(label or []),
        "idempotency_key": key,
        "durability": durability.value if durability else None,
    }

    async def complete(client: "Client") -> None:
        if agent is None and plan is None and workflow is None:
            options["agent"] = await only_agent(client)

    async def start(client: "Client", on_reconnect: "OnReconnect") -> "RunStream":
        await complete(client)
        return client.stream_run(parts, on_reconnect=on_reconnect, **options)

    async def leave(client: "Client") -> "Run":
        await complete(client)
        return await client.create_run(parts, **options)

    if detach:
        from penstock.cli.ask import ask
        from penstock.cli.failure import attach_command
        from penstock.cli.json_line import print_json
        from penstock.cli.patience import PATIENCE
        from penstock.cli.terminal import note

        left = ask(address, leave, patience=PATIENCE)
        if as_json:
            print_json(left)
        else:
            typer.echo(left.run_id)
        note(f"follow it with\n  {attach_command(left.run_id, address)}")
        return
    raise typer.Exit(follow_run(address, start, as_json=as_json, plain=plain))


def attach(
    run_id: RunId,
    after: Annotated[int, typer.Option(help="The last event you saw; 0 for all of them.", min=0)] = 0,
    generation: Annotated[int, typer.Option(help="The generation that came with it; 0 for any.", min=0)] = 0,
    plain: Plain = False,
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Read a run from where you left off, live or after its end: nothing is missed, nothing comes twice."""
    from penstock.cli.follow import follow_run

    async def start(client: "Client", on_reconnect: "OnReconnect") -> "RunStream":
        return client.attach_run(run_id, after, generation, on_reconnect=on_reconnect)

    raise typer.Exit(follow_run(address, start, as_json=as_json, plain=plain))
