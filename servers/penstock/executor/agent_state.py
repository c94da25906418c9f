"""`AgentState`: values that agents of a tenant keep, as JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc.aio
from google.protobuf.duration_pb2 import Duration

from penstock.executor.contents import canonical_json
from penstock.v1 import state_pb2
from penstock.wire.status import from_inner_error

if TYPE_CHECKING:
    from penstock.v1.state_pb2_grpc import StateServiceAsyncStub

T = TypeVar("T")
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class StateEntry:
    """Represents a value as it was read, with the version that a compare-and-set needs."""

    value: Any
    version: int


@dataclass(frozen=True, slots=True)
class StateWrite:
    """Represents what came of a compare-and-set: `version` is the one that stands now, 0: there is no value."""

    applied: bool
    version: int


class AgentState:
    """Reads and writes values of the run's tenant; every agent of that tenant sees the same ones.

    Keys are 1 to 1,024 bytes, values any JSON of at most 1 MiB. Methods raise a PenstockError when the call fails.
    """

    def __init__(self, values: StateServiceAsyncStub, tenant: str) -> None:
        self._values = values
        self._tenant = tenant

    async def get(self, key: str, default: Any = None) -> Any:
        """Returns a value, or the default where there is none."""
        entry = await self.read(key)
        return default if entry is None else entry.value

    async def read(self, key: str) -> StateEntry | None:
        """Returns a value with its version; None: there is no value."""
        request = state_pb2.GetValueRequest(tenant=self._tenant, key=key)
        answer = await _answer(self._values.GetValue(request))
        if not answer.HasField("value"):
            return None
        return StateEntry(json.loads(answer.value.data), answer.value.version)

    async def set(self, key: str, value: Any, *, ttl: float | None = None) -> int:
        """Writes a value and returns its version; `ttl` in seconds, None: as it was."""
        request = state_pb2.SetValueRequest(
            tenant=self._tenant, key=key, data=canonical_json(value).encode(), expiry=_expiry(ttl)
        )
        return (await _answer(self._values.SetValue(request))).version

    async def delete(self, key: str) -> bool:
        """Deletes a value; tells whether there was one."""
        request = state_pb2.DeleteValueRequest(tenant=self._tenant, key=key)
        return (await _answer(self._values.DeleteValue(request))).deleted

    async def compare_and_set(
        self, key: str, value: Any, *, version: int | None, ttl: float | None = None
    ) -> StateWrite:
        """Writes a value if it has this version; None: if there is no value."""
        request = state_pb2.CompareAndSetValueRequest(
            tenant=self._tenant, key=key, data=canonical_json(value).encode(), expiry=_expiry(ttl)
        )
        if version is None:
            request.must_not_exist = True
        else:
            request.version_is = version
        answer = await _answer(self._values.CompareAndSetValue(request))
        return StateWrite(answer.applied, answer.version)

    async def list(self, prefix: str = "", *, most: int = 1_000) -> tuple[str, ...]:
        """Returns the keys that begin so, in order, at most so many."""
        keys: list[str] = []
        token = ""
        while len(keys) < most:
            request = state_pb2.ListValuesRequest(
                tenant=self._tenant,
                prefix=prefix,
                keys_only=True,
                page_size=min(most - len(keys), _PAGE),
                page_token=token,
            )
            page = await _answer(self._values.ListValues(request))
            keys.extend(value.key for value in page.values)
            token = page.next_page_token
            if not token:
                break
        return tuple(keys)


def _expiry(ttl: float | None) -> state_pb2.Expiry | None:
    if ttl is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(int(ttl * 1e9))
    return state_pb2.Expiry(ttl=duration)


async def _answer(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise from_inner_error(error) from error
