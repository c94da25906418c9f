"""Which agent runs, by name or as the only one there is."""

import typer

from penstock.client import Client


async def agent_of(client: Client, name: str | None) -> str:
    """Returns the agent's name if the mesh has it, or without one that of the only agent; else the usage is wrong."""
    names = [agent.name for agent in await client.list_agents()]
    if name is None:
        return _only(names)
    if name not in names:
        raise typer.BadParameter(f"no agent is named {name!r}; there are: {', '.join(names)}", param_hint="--agent")
    return name


async def only_agent(client: Client) -> str:
    """Returns the one agent that the mesh has; with none or several, the usage is wrong and the message lists them."""
    return _only([agent.name for agent in await client.list_agents()])


def _only(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    if not names:
        raise typer.BadParameter("the mesh has no agent; start `penstockd` with --agent NAME=module:attr")
    raise typer.BadParameter(f"say which agent: {', '.join(names)}", param_hint="--agent")
