"""What a call gave, in a form that can be compared between meshes."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc
import grpc.aio

from penstock.v1.gateway_pb2_grpc import GatewayServiceStub
from penstock.wire.errors import InvalidArgument
from penstock.wire.status import from_rpc_error

Ask = Callable[[GatewayServiceStub], Awaitable[object]]
_CHANGING = re.compile(r"(run|req)-[a-z2-7]{26}|\d{4}-\d\d-\d\dT[\d:.]+Z|127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Answer:
    """Represents a call's status with all its details; ids and times that differ by nature are left out."""

    code: str
    text: str
    reason: str
    fields: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    retry_after: float | None


async def ask(address: str, question: Ask) -> Answer | object:
    """Asks a gateway, and returns its refusal, or what it answered."""
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            return await question(GatewayServiceStub(channel))
        except grpc.aio.AioRpcError as error:
            return answer_of(error)


def answer_of(error: grpc.aio.AioRpcError) -> Answer:
    """Makes the comparable form of a refusal."""
    failure = from_rpc_error(error)
    violations = failure.violations if isinstance(failure, InvalidArgument) else ()
    return Answer(
        code=error.code().name,
        text=_steady(error.details() or ""),
        reason=failure.reason,
        fields=tuple((violation.field, _steady(violation.description)) for violation in violations),
        facts=tuple(sorted((key, _steady(value)) for key, value in failure.metadata.items())),
        retry_after=failure.retry_after,
    )


def _steady(text: str) -> str:
    return _CHANGING.sub("…", text)
