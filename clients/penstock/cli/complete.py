"""Names that the shell completes, asked of the mesh while somebody waits with a finger on the Tab key."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from penstock.client import Client

# From the key to the names, importing the client (0.3 s) not included.
PATIENCE: Final = 1.0
NEWEST: Final = 50

Names = list[tuple[str, str]]


def complete_agent(ctx: typer.Context) -> Names:
    """Returns the agents' names, with what they do."""

    async def agents(client: "Client") -> Names:
        return [(agent.name, _plain(agent.description)) for agent in await client.list_agents()]

    return _names(ctx, agents)


def complete_workflow(ctx: typer.Context) -> Names:
    """Returns the workflows' names, with what they do."""

    async def workflows(client: "Client") -> Names:
        return [(flow.name, _plain(flow.description)) for flow in await client.list_workflows()]

    return _names(ctx, workflows)


def complete_run(ctx: typer.Context) -> Names:
    """Returns the newest runs' ids, with their states."""

    async def runs(client: "Client") -> Names:
        from penstock.client import RunState

        found: Names = []
        async with aclosing(client.list_runs(page_size=NEWEST)) as newest:
            async for run in newest:
                found.append((run.run_id, RunState.Name(run.state).removeprefix("RUN_STATE_")))
                if len(found) == NEWEST:
                    break
        return found

    return _names(ctx, runs)


def complete_session(ctx: typer.Context) -> Names:
    """Returns the conversations of the newest runs."""

    async def sessions(client: "Client") -> Names:
        from penstock.cli.recent_sessions import gather

        async with aclosing(client.list_runs(page_size=NEWEST * 4)) as newest:
            recent = await gather(newest, NEWEST * 4)
        return [(session.session_id, "") for session in recent.sessions]

    return _names(ctx, sessions)


def complete_topic() -> Names:
    """Returns the topics that every mesh has; nothing lists the others."""
    return [("penstock.runs", "starts and ends of runs")]


def _plain(description: str) -> str:
    # Shells get it through typer, which reads brackets as markup and fails at one that it doesn't know.
    from penstock.cli.terminal import line

    return line(description).replace("[", "(").replace("]", ")")


def _names(ctx: typer.Context, ask: Callable[["Client"], Awaitable[Names]]) -> Names:
    import asyncio
    import os

    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # whatever it has to say, it is no name
    from penstock.client import Client, PenstockError
    from penstock.client.client import DEFAULT_ADDRESS

    async def bounded() -> Names:
        async with asyncio.timeout(PATIENCE), Client(address, timeout=PATIENCE, patience=0) as client:
            return await ask(client)

    address = str(ctx.params.get("address") or os.environ.get("PENSTOCK_ADDRESS") or DEFAULT_ADDRESS)
    try:
        return asyncio.run(bounded())
    except (PenstockError, TimeoutError, ValueError):
        return []
