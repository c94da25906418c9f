"""Stores with the classic mistakes, to see that the checker finds them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from penstock.state.layer import StateLayer
from penstock.state.sessions_service import SessionsService
from penstock.state.stores import SessionStore, ValueStore
from penstock.state.values_service import ValuesService
from penstock.v1.session_pb2 import AppendMessagesRequest, AppendMessagesResponse
from penstock.v1.state_pb2 import CompareAndSetValueRequest, CompareAndSetValueResponse, SetValueRequest


@dataclass
class GetThenSet:
    """A compare-and-set that looks first and writes after."""

    store: ValueStore

    async def compare_and_set(self, request: CompareAndSetValueRequest) -> CompareAndSetValueResponse:
        """Looks, and writes."""
        value = await self.store.get(request.tenant, request.key)
        version = value.version if value else 0
        await asyncio.sleep(0)  # as if the value came from another machine
        if version != request.version_is:
            return CompareAndSetValueResponse(applied=False, version=version)
        written = await self.store.set(SetValueRequest(tenant=request.tenant, key=request.key, data=request.data))
        return CompareAndSetValueResponse(applied=True, version=written)

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)


@dataclass
class LengthThenPush:
    """An append that tells the length from before as the message's place."""

    store: SessionStore

    async def append(self, request: AppendMessagesRequest) -> AppendMessagesResponse:
        """Takes the length, and pushes."""
        session = await self.store.read(request.tenant, request.session_id)
        length = session.next_index if session else 0
        await self.store.append(request)
        indexes = [length + place for place in range(len(request.messages))]
        return AppendMessagesResponse(applied=True, indexes=indexes, next_index=length + len(indexes))

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)


def with_get_then_set(layer: StateLayer) -> StateLayer:
    """Exchanges the values of a state layer."""
    return replace(layer, values=ValuesService(GetThenSet(layer.store.values)))  # type: ignore[arg-type] # by __getattr__


def with_length_then_push(layer: StateLayer) -> StateLayer:
    """Exchanges the sessions of a state layer."""
    return replace(layer, sessions=SessionsService(LengthThenPush(layer.store.sessions)))  # type: ignore[arg-type] # by __getattr__
