"""How commands call the gateway: one client and one event loop for a command, and failures explained."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from penstock.cli.exits import Exit
from penstock.cli.failure import explain
from penstock.client import Client, PenstockError

Answer = TypeVar("Answer")


def ask(address: str, work: Callable[[Client], Awaitable[Answer]]) -> Answer:
    """Does a command's work with a client, and returns what it gives; a call that fails ends the command."""

    async def with_client() -> Answer:
        async with client_at(address) as client:
            return await work(client)

    try:
        return asyncio.run(with_client())
    except PenstockError as error:
        explain(error, address)
        raise typer.Exit(Exit.CALL_FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def client_at(address: str) -> Client:
    """Makes the client; an address that can't be one is wrong usage."""
    try:
        return Client(address)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from None
