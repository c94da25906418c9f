"""Which agent runs, by name or as the only one there is."""

import typer

from penstock.client import Client, errors


async def agent_of(client: Client, name: str | None) -> str:
    """Returns the agent's name, or without one that of the only agent, for want of which the usage is wrong.

    Raises:
        NotFound: the mesh has no agent of that name; says which are like it.
    """
    names = [agent.name for agent in await client.list_agents()]
    if name is None:
        return _only(names)
    if name not in names:
        raise errors.NotFound.named("agent", name, names)
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
