"""`RunLogService`: runs and their logs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from penstock.state.entry_rules import check_append, check_record
from penstock.state.log.refused import Refused
from penstock.state.page_token import make_token, read_token
from penstock.state.run_query import run_query
from penstock.state.settings import StateSettings
from penstock.state.stores import RunStore
from penstock.state.tails.follow import follow
from penstock.state.tails.tail import open_tail
from penstock.state.tails.tail_stream import INCLUDES, MAX_CREDIT, TailStream
from penstock.state.violations import Violations
from penstock.v1 import run_log_pb2 as pb
from penstock.v1.run_log_pb2 import APPEND_OUTCOME_INVALID, RECORD_OUTCOME_REFUSED
from penstock.v1.run_log_pb2_grpc import RunLogServiceServicer
from penstock.wire.errors import FailedPrecondition, InvalidArgument, PenstockError
from penstock.wire.status import to_status

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]

_LOGGER = logging.getLogger(__name__)


class RunLogService(RunLogServiceServicer):
    """Serves runs and their logs from a store."""

    def __init__(self, store: RunStore, settings: StateSettings) -> None:
        self._store = store
        self._settings = settings

    async def RecordRuns(self, request: pb.RecordRunsRequest, context: Context) -> pb.RecordRunsResponse:
        _check_batch(len(request.entries))
        # All are handed over before the first is awaited, so that one commit covers them.
        outcomes = await _settled([self._record(entry) for entry in request.entries])
        response = pb.RecordRunsResponse()
        for outcome in outcomes:
            if isinstance(outcome, FailedPrecondition | InvalidArgument):
                refused = RECORD_OUTCOME_REFUSED
                response.results.add(outcome=refused, refusal=to_status(outcome))
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                response.results.append(outcome)
        return response

    async def ReadRuns(self, request: pb.ReadRunsRequest, context: Context) -> pb.ReadRunsResponse:
        violations = Violations()
        violations.count("runs", len(request.runs))
        for position, name in enumerate(request.runs):
            violations.id(f"runs[{position}].tenant", name.tenant)
            violations.id(f"runs[{position}].run_id", name.run_id)
        violations.raise_any()
        response = pb.ReadRunsResponse()
        size = 0
        for position, name in enumerate(request.runs):
            record = await self._store.read(name.tenant, name.run_id, run_only=request.run_only)
            if record is None:
                continue
            size += record.ByteSize()
            if response.records and size > self._settings.max_response_bytes:
                response.left_out.extend(request.runs[position:])
                break
            response.records.append(record)
        return response

    async def FindRuns(self, request: pb.FindRunsRequest, context: Context) -> pb.FindRunsResponse:
        place = read_token(request, request.page_token)
        page = await self._store.find(run_query(request, place, self._settings.max_response_bytes))
        token = "" if page.next_place is None else make_token(request, page.next_place)
        return pb.FindRunsResponse(runs=page.items, next_page_token=token)

    async def AppendEvents(self, request: pb.AppendEventsRequest, context: Context) -> pb.AppendEventsResponse:
        _check_batch(len(request.entries))
        outcomes = await _settled([self._append(entry) for entry in request.entries])
        response = pb.AppendEventsResponse()
        for entry, outcome in zip(request.entries, outcomes, strict=True):
            if isinstance(outcome, Refused):
                response.results.add(outcome=outcome.outcome, detail=outcome.detail)
            elif isinstance(outcome, PenstockError):
                raise outcome
            elif isinstance(outcome, Exception):
                # A fault of ours that this entry brings out must not hold up those that came with it, time and again.
                _LOGGER.error("could not append to run %s", entry.run_id, exc_info=outcome)
                invalid = APPEND_OUTCOME_INVALID
                response.results.add(outcome=invalid, detail="the store can't take this entry; its log says why")
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                response.results.append(outcome)
        return response

    async def ReadEvents(
        self, request: pb.ReadEventsRequest, context: Context
    ) -> AsyncGenerator[pb.ReadEventsResponse]:
        violations = Violations()
        violations.id("tenant", request.tenant)
        violations.id("run_id", request.run_id)
        if pb.TailInclude.TAIL_INCLUDE_SIGNALS in request.include:
            violations.add("include", "signals come by TailEvents only")
        if not INCLUDES.issuperset(request.include):
            violations.add("include", "asks for something that is not known here")
        violations.raise_any()
        tail = await open_tail(
            self._store,
            request.tenant,
            request.run_id,
            generation=request.generation,
            after=request.after_sequence,
            include=request.include,
            credit=MAX_CREDIT,
        )
        batches = follow(tail, self._settings.max_response_bytes, to_the_end=request.follow)
        async with aclosing(batches):
            async for batch in batches:
                yield pb.ReadEventsResponse(
                    events=batch.events, generation=batch.generation, durable_sequence=batch.durable_sequence
                )

    async def TailEvents(  # type: ignore[override] # a coroutine that writes answers a stream as well
        self, request_iterator: AsyncIterator[pb.TailEventsRequest], context: Context
    ) -> None:
        await TailStream(self._store, self._settings).serve(request_iterator, context.write)

    def _record(self, entry: pb.RecordRunsEntry) -> asyncio.Future[pb.RecordRunsResult]:
        try:
            check_record(entry)
        except InvalidArgument as error:
            return _failed(error)
        return self._store.record(entry)

    def _append(self, entry: pb.AppendEventsEntry) -> asyncio.Future[pb.AppendEventsResult]:
        try:
            check_append(entry)
        except Refused as refused:
            return _failed(refused)
        return self._store.append(entry)


def _check_batch(count: int) -> None:
    violations = Violations()
    violations.count("entries", count)
    violations.raise_any()


def _failed(error: Exception) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


async def _settled(writes: list[asyncio.Future[Any]]) -> list[Any]:
    outcomes: list[Any] = []
    try:
        # One commit answers them all, so that only the first makes this wait.
        for write in writes:
            try:
                outcomes.append(await write)
            except Exception as error:
                outcomes.append(error)
    finally:
        for write in writes[len(outcomes) :]:
            write.cancel()
    return outcomes
