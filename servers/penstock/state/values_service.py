"""`StateService`: values by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.state.page_token import make_token, read_token
from penstock.state.stores import ValueQuery, ValueStore
from penstock.state.violations import MAX_KEY_BYTES, MAX_METADATA_BYTES, MAX_VALUE_BYTES, Violations
from penstock.v1 import state_pb2 as pb
from penstock.v1.state_pb2_grpc import StateServiceServicer

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]

_TEN_YEARS = 10 * 365.25 * 86400
_PAGE = 50


class ValuesService(StateServiceServicer):
    """Serves values from a store."""

    def __init__(self, store: ValueStore) -> None:
        self._store = store

    async def GetValue(self, request: pb.GetValueRequest, context: Context) -> pb.GetValueResponse:
        _named(request).raise_any()
        return pb.GetValueResponse(value=await self._store.get(request.tenant, request.key))

    async def SetValue(self, request: pb.SetValueRequest, context: Context) -> pb.SetValueResponse:
        _written(request).raise_any()
        return pb.SetValueResponse(version=await self._store.set(request))

    async def DeleteValue(self, request: pb.DeleteValueRequest, context: Context) -> pb.DeleteValueResponse:
        violations = _named(request)
        if request.version < 0:
            violations.add("version", "must be 1 or more, or 0 for any")
        violations.raise_any()
        return await self._store.delete(request)

    async def CompareAndSetValue(
        self, request: pb.CompareAndSetValueRequest, context: Context
    ) -> pb.CompareAndSetValueResponse:
        violations = _written(request)
        precondition = request.WhichOneof("precondition")
        if precondition is None:
            violations.add("precondition", "is missing: set version_is, must_not_exist or must_exist")
        elif precondition != "version_is" and not getattr(request, precondition):
            violations.add(precondition, "must be true; for the opposite set the other one")
        violations.raise_any()
        return await self._store.compare_and_set(request)

    async def ListValues(self, request: pb.ListValuesRequest, context: Context) -> pb.ListValuesResponse:
        violations = Violations()
        violations.id("tenant", request.tenant)
        violations.size("prefix", len(request.prefix.encode()), MAX_KEY_BYTES)
        limit = violations.page_size(request.page_size, _PAGE)
        violations.raise_any()
        page = await self._store.list(
            request.tenant,
            ValueQuery(
                prefix=request.prefix.encode(),
                after=read_token(request, request.page_token),
                limit=limit,
                keys_only=request.keys_only,
                max_bytes=MAX_VALUE_BYTES,
            ),
        )
        token = "" if page.next_place is None else make_token(request, page.next_place)
        return pb.ListValuesResponse(values=page.items, next_page_token=token)


def _named(
    request: pb.GetValueRequest | pb.SetValueRequest | pb.DeleteValueRequest | pb.CompareAndSetValueRequest,
) -> Violations:
    violations = Violations()
    violations.id("tenant", request.tenant)
    violations.key("key", request.key)
    return violations


def _written(request: pb.SetValueRequest | pb.CompareAndSetValueRequest) -> Violations:
    violations = _named(request)
    violations.size("data", len(request.data), MAX_VALUE_BYTES)
    metadata = sum(len(key.encode()) + len(value.encode()) for key, value in request.metadata.entries.items())
    violations.size("metadata", metadata, MAX_METADATA_BYTES)
    if request.HasField("expiry"):
        match request.expiry.WhichOneof("change"):
            case "ttl":
                violations.duration("expiry.ttl", request.expiry.ttl, 1e-6, _TEN_YEARS)
            case "never":
                if not request.expiry.never:
                    violations.add("expiry.never", "must be true; leave expiry out to keep the time as it is")
            case _:
                violations.add("expiry", "says nothing: set ttl or never, or leave it out")
    return violations
