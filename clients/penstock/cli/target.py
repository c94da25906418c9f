"""Which agent runs when none was named."""

import typer

from penstock.client import Client


async def only_agent(client: Client) -> str:
    """Returns the one agent that the mesh has; with none or several, the usage is wrong and the message lists them."""
    names = [agent.name for agent in await client.list_agents()]
    if len(names) == 1:
        return names[0]
    if not names:
        raise typer.BadParameter("the mesh has no agent; start `penstockd` with --agent NAME=module:attr")
    raise typer.BadParameter(f"say which agent: {', '.join(names)}", param_hint="--agent")
