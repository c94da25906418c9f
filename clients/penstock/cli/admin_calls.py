"""How administration is called: one channel for a command, and failures explained."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import grpc.aio
import typer

from penstock.cli.exits import Exit
from penstock.cli.failure import explain_with
from penstock.cli.terminal import note
from penstock.client.asking import UNREACHABLE, Asked
from penstock.v1.state_admin_pb2_grpc import StateAdminServiceStub
from penstock.wire.channel import CHANNEL_OPTIONS
from penstock.wire.errors import PenstockError, Unimplemented
from penstock.wire.target import grpc_target

if TYPE_CHECKING:
    from penstock.v1.state_admin_pb2_grpc import StateAdminServiceAsyncStub as Stub

Answer = TypeVar("Answer")

_NOWHERE = (
    "it in the directory where penstockd runs, or say with --address where it administers its store: the socket "
    "FILE.admin beside a SQLite file, or what its --admin-listen says; over Redis it does so with --admin-listen only"
)


def administer(address: str, work: "Callable[[Stub], Awaitable[Answer]]", advice: str = "") -> Answer:
    """Does a command's work with a stub, and returns what it gives; a call that fails ends the command.

    `advice` says how to go on after that, or after Ctrl-C.
    """
    try:
        target = grpc_target(address)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from None

    async def with_stub() -> Answer:
        async with grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
            return await work(StateAdminServiceStub(channel))

    try:
        return asyncio.run(with_stub())
    except grpc.aio.AioRpcError as error:
        failure = Asked.anew(address).failed(error, {}).error
        if isinstance(failure, Unimplemented):
            failure = Unimplemented(
                f"no store is administered at {address}", reason=failure.reason, metadata=failure.metadata
            )
        explain_with(failure, _advice(failure) or advice)
        raise typer.Exit(Exit.CALL_FAILED) from None
    except KeyboardInterrupt:
        if advice:
            note(f"stopped; {advice}")
        raise typer.Exit(Exit.INTERRUPTED) from None


def _advice(error: PenstockError) -> str:
    if error.reason == UNREACHABLE or isinstance(error, Unimplemented):
        return _NOWHERE
    return ""
