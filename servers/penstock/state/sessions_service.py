"""`SessionService`: conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.state.stores import SessionStore
from penstock.state.violations import MAX_VALUE_BYTES, Violations
from penstock.v1 import session_pb2 as pb
from penstock.v1.session_pb2_grpc import SessionServiceServicer

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]

_PAGE = 100


class SessionsService(SessionServiceServicer):
    """Serves conversations from a store."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def ReadSession(self, request: pb.ReadSessionRequest, context: Context) -> pb.ReadSessionResponse:
        _named(request).raise_any()
        return pb.ReadSessionResponse(session=await self._store.read(request.tenant, request.session_id))

    async def UpdateSession(self, request: pb.UpdateSessionRequest, context: Context) -> pb.UpdateSessionResponse:
        violations = _named(request)
        if violations.size("data_json", len(request.data_json.encode()), MAX_VALUE_BYTES) and request.data_json:
            violations.json("data_json", request.data_json)
        violations.raise_any()
        return await self._store.update(request)

    async def AppendMessages(self, request: pb.AppendMessagesRequest, context: Context) -> pb.AppendMessagesResponse:
        violations = _named(request)
        violations.count("messages", len(request.messages), least=1)
        violations.messages("messages", request.messages)
        violations.raise_any()
        return await self._store.append(request)

    async def ReadMessages(self, request: pb.ReadMessagesRequest, context: Context) -> pb.ReadMessagesResponse:
        violations = _named(request)
        limit = violations.page_size(request.page_size, _PAGE)
        violations.raise_any()
        return await self._store.messages(request, limit, MAX_VALUE_BYTES)

    async def DropSession(self, request: pb.DropSessionRequest, context: Context) -> pb.DropSessionResponse:
        _named(request).raise_any()
        return pb.DropSessionResponse(outcome=await self._store.drop(request.tenant, request.session_id))


def _named(
    request: pb.ReadSessionRequest
    | pb.UpdateSessionRequest
    | pb.AppendMessagesRequest
    | pb.ReadMessagesRequest
    | pb.DropSessionRequest,
) -> Violations:
    violations = Violations()
    violations.id("tenant", request.tenant)
    violations.id("session_id", request.session_id)
    return violations
