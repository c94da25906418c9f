"""`penstock status`, `agents` and `tools`: what the mesh is and has."""

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.options import DEFAULT_ADDRESS, Address, AsJson

if TYPE_CHECKING:
    from penstock.client import Client
    from penstock.v1.executor_pb2 import AgentDescription
    from penstock.v1.gateway_pb2 import GetStatusResponse
    from penstock.v1.tool_runner_pb2 import ToolDescription

STATUS_EXAMPLES = """Examples:

penstock status

penstock status --watch --every 500ms

penstock status --json | jq -r '.layers[] | select(.serving | not).reason'
"""

AGENTS_EXAMPLES = """Examples:

penstock agents

penstock agents --json | jq -r .name
"""

TOOLS_EXAMPLES = """Examples:

penstock tools

penstock tools --json | jq '.parameters_schema_json | fromjson'
"""


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again, until Ctrl-C.")] = False,
    every: Annotated[str, typer.Option(help="With --watch: how often.", metavar="DURATION")] = "2s",
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Show the layers: where each is, whether it serves, and why not. Exits with 1 when one does not."""
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json
    from penstock.cli.mesh_text import status_text

    if watch:
        from penstock.cli.input import timeout_of
        from penstock.cli.status_watch import watch_status

        watch_status(address, max(timeout_of(every, "--every") or 0, 0.1), as_json=as_json)
        return

    async def get_status(client: "Client") -> "GetStatusResponse":
        return await client.get_status()

    found = ask(address, get_status)
    if as_json:
        print_json(found)
    else:
        typer.echo(status_text(found))
    if not all(layer.serving for layer in found.layers):
        raise typer.Exit(1)


def agents(as_json: AsJson = False, address: Address = DEFAULT_ADDRESS) -> None:
    """List the agents that runs can name."""
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json
    from penstock.cli.mesh_text import names_table

    async def list_agents(client: "Client") -> "list[AgentDescription]":
        return await client.list_agents()

    found = ask(address, list_agents)
    if as_json:
        for agent in found:
            print_json(agent)
    else:
        typer.echo(names_table([(agent.name, agent.description) for agent in found], "agents"))


def tools(as_json: AsJson = False, address: Address = DEFAULT_ADDRESS) -> None:
    """List the tools that agents and plans can call."""
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json
    from penstock.cli.mesh_text import names_table

    async def list_tools(client: "Client") -> "list[ToolDescription]":
        return await client.list_tools()

    found = ask(address, list_tools)
    if as_json:
        for tool in found:
            print_json(tool)
    else:
        typer.echo(names_table([(tool.name, tool.description) for tool in found], "tools"))
