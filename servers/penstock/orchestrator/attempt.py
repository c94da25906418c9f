"""One attempt of one step: the call to an executor, and what the log says when the call's answer was lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from penstock.orchestrator.outcome import Failed, Succeeded, TakenOver
from penstock.v1 import executor_pb2, run_event_pb2
from penstock.v1.executor_pb2 import ExecuteRequest
from penstock.v1.run_log_pb2 import TAIL_INCLUDE_LIFECYCLE, ReadEventsRequest
from penstock.v1.run_pb2 import Content
from penstock.wire.errors import PenstockError
from penstock.wire.status import from_inner_error

if TYPE_CHECKING:
    from penstock.v1.executor_pb2_grpc import ExecutorServiceAsyncStub
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub

logger = logging.getLogger(__name__)

_AWAY: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)
_WAIT_SECONDS: Final = 1.0

# The executor ends an attempt at its timeout and records so; its answer gets this many seconds more.
_ANSWER_SECONDS: Final = 10.0

# An answer of these codes would be the same from any executor: another attempt could only fail again.
_FINAL: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


@dataclass(frozen=True, slots=True)
class Lost:
    """The attempt's executor was lost before it recorded an end; `error` says how."""

    error: PenstockError


@dataclass(frozen=True, slots=True)
class Refused:
    """No executor will take the step; nothing of it is recorded."""

    error: PenstockError


@dataclass(frozen=True, slots=True)
class Attempts:
    """Makes attempts through executors, and reads the log where an answer is missing."""

    executor: ExecutorServiceAsyncStub
    log: RunLogServiceAsyncStub

    async def make(self, tenant: str, request: ExecuteRequest, timeout: float) -> Succeeded | Failed | Lost | Refused:
        """Runs one attempt within `timeout` seconds and returns what came of it.

        Raises:
            TakenOver: the log refused the attempt.
            PenstockError: the answer was lost, and the log can't be read.
        """
        duration = Duration()
        duration.FromNanoseconds(round(timeout * 1e9))
        request.timeout.CopyFrom(duration)
        try:
            response = await self.executor.Execute(request, timeout=timeout + _ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            failure = from_inner_error(error)
            if error.code() in _FINAL:
                return Refused(failure)
            return await self.recorded(tenant, request.run_id, request.step_id, request.attempt) or Lost(failure)
        match response.outcome:
            case executor_pb2.EXECUTE_OUTCOME_SUCCEEDED:
                return Succeeded(response.output, response.run_finished)
            case executor_pb2.EXECUTE_OUTCOME_FAILED:
                return Failed(response.error)
            case _:
                raise TakenOver

    async def recorded(self, tenant: str, run_id: str, step_id: str, attempt: int) -> Succeeded | Failed | None:
        """Reads the run's log to its end for what it says of an attempt; None: it was not ended.

        Waits for the state layer as long as it is away: without the log nobody knows whether to try again.

        Raises:
            TakenOver: the run is over, and this attempt has no success in it.
            PenstockError: the log can't be read, and waiting would not help.
        """
        request = ReadEventsRequest(tenant=tenant, run_id=run_id, include=[TAIL_INCLUDE_LIFECYCLE])
        while True:
            try:
                return await self._read(request, step_id, attempt)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _AWAY:
                    raise from_inner_error(error) from error
                logger.warning("waiting for the log of run %s: %s", run_id, error.code().name)
                await asyncio.sleep(_WAIT_SECONDS * random.uniform(0.5, 1.0))

    async def _read(self, request: ReadEventsRequest, step_id: str, attempt: int) -> Succeeded | Failed | None:
        found: Succeeded | Failed | None = None
        over = False
        call = self.log.ReadEvents(request, timeout=30.0)
        try:
            async for response in call:
                for event in response.events:
                    if event.HasField("run_finished"):
                        over = True
                    elif event.step_id == step_id and event.attempt == attempt and event.HasField("step_finished"):
                        found = _ended(event.step_finished)
        finally:
            call.cancel()
        if isinstance(found, Succeeded):
            return Succeeded(found.output, run_finished=over)
        if over:
            raise TakenOver
        return found


def _ended(finished: run_event_pb2.StepFinished) -> Succeeded | Failed:
    if finished.outcome == run_event_pb2.STEP_OUTCOME_SUCCEEDED:
        output: Sequence[Content] = finished.output
        return Succeeded(output, run_finished=False)
    return Failed(finished.error)
