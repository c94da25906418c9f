"""`penstock run` and `penstock attach`: a run, followed to its end."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.options import DEFAULT_ADDRESS, Address, AsJson, RunId

if TYPE_CHECKING:
    from penstock.client import Client, RunOptions, RunStream

RUN_EXAMPLES = """Examples:

penstock run "Summarise: The quick brown fox …" --agent summarise

penstock run --file article.txt          (or --file - to read stdin)

penstock run "Summarise" --plan plan.yaml --session tuesday

penstock run "…" --json | jq -r '.token.text // empty'
"""


class OnBusy(StrEnum):
    """Represents what a second run on a session does."""

    ENQUEUE = "enqueue"
    REJECT = "reject"
    INTERRUPT = "interrupt"


def run(
    task: Annotated[str | None, typer.Argument(help="What the agent is to do.", show_default=False)] = None,
    file: Annotated[
        str | None, typer.Option(help="A file with the text (UTF-8), `-` for stdin; follows TASK if both are given.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="The agent. Without any target: the only one there is.")] = None,
    plan: Annotated[Path | None, typer.Option(help="A plan of steps, in YAML or JSON.", dir_okay=False)] = None,
    workflow: Annotated[str | None, typer.Option(help="A workflow that the server knows.")] = None,
    session: Annotated[str, typer.Option(help="The conversation to continue, or to begin.")] = "",
    on_busy: Annotated[OnBusy | None, typer.Option(help="What to do while the --session has another run.")] = None,
    timeout: Annotated[str | None, typer.Option(help="Time for the run, such as 30s, 5m or 2h.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A mark of your own; may be repeated.", metavar="K=V")] = None,
    key: Annotated[str, typer.Option(help="Makes the command safe to repeat: the same key is the same run.")] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and leave it to itself.")] = False,
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Run a task, and print what the agent says as it says it.

    The answer goes to stdout, everything else to stderr. Ctrl-C leaves the run going, and tells how to attach again.
    """
    # Everything below is imported when a command needs it: `--help` answers at once.
    from penstock.cli.follow import Follower
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
    }

    async def complete(client: "Client") -> None:
        if agent is None and plan is None and workflow is None:
            options["agent"] = await only_agent(client)

    async def start(client: "Client") -> "RunStream":
        await complete(client)
        return client.stream_run(parts, **options)

    async def leave(client: "Client") -> str:
        await complete(client)
        return (await client.create_run(parts, **options)).run_id

    if detach:
        from penstock.cli.ask import ask
        from penstock.cli.failure import attach_command
        from penstock.cli.terminal import note

        run_id = ask(address, leave)
        typer.echo(run_id)
        note(f"follow it: {attach_command(run_id, address)}")
        return
    raise typer.Exit(Follower(address, as_json=as_json).follow(start))


def attach(
    run_id: RunId,
    after: Annotated[int, typer.Option(help="The last event you saw; 0 for all of them.", min=0)] = 0,
    generation: Annotated[int, typer.Option(help="The generation that came with it; 0 for any.", min=0)] = 0,
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Read a run from where you left off, live or after its end: nothing is missed, nothing comes twice."""
    from penstock.cli.follow import Follower

    async def start(client: "Client") -> "RunStream":
        return client.attach_run(run_id, after_sequence=after, generation=generation)

    raise typer.Exit(Follower(address, as_json=as_json).follow(start))
