"""How commands call the gateway: one client and one event loop for a command, and failures explained."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from penstock.cli.away import telling_who_is_away
from penstock.cli.exits import Exit
from penstock.cli.failure import explain
from penstock.cli.patience import PATIENCE, SHORT_PATIENCE
from penstock.client import Client, PenstockError

Answer = TypeVar("Answer")


def ask(
    address: str,
    work: Callable[[Client], Awaitable[Answer]],
    runner: asyncio.Runner | None = None,
    patience: float = SHORT_PATIENCE,
) -> Answer:
    """Does a command's work with a client, and returns what it gives; a call that fails ends the command.

    A command that asks more than once does so with one runner: gRPC stays with the first event loop that it has seen.
    """

    async def with_client() -> Answer:
        async with client_at(address, patience) as client, telling_who_is_away(client):
            return await work(client)

    try:
        return asyncio.run(with_client()) if runner is None else runner.run(with_client())
    except PenstockError as error:
        explain(error, address)
        raise typer.Exit(Exit.CALL_FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def client_at(address: str, patience: float = PATIENCE) -> Client:
    """Makes the client, patient for so many seconds with lost connections; an address that can't be is wrong usage."""
    try:
        return Client(address, patience=patience)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from None
