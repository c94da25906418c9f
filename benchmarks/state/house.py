"""A state layer in this process behind the in-process channel, and runs to append to."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from penstock.state.layer import open_state
from penstock.state.settings import StateSettings
from penstock.v1 import ownership_pb2_grpc, run_log_pb2_grpc
from penstock.v1.ownership_pb2 import RenewLeaseRequest
from penstock.v1.run_event_pb2 import RunEvent, RunStarted, StepStarted, Token
from penstock.v1.run_log_pb2 import (
    APPEND_OUTCOME_APPENDED,
    RECORD_OUTCOME_STARTED,
    AppendEventsEntry,
    AppendEventsRequest,
    RecordRunsEntry,
    RecordRunsRequest,
)
from penstock.v1.run_pb2 import Content, RunSpec
from penstock.wire.in_process import InProcessChannel, InProcessServer

if TYPE_CHECKING:
    from penstock.v1.ownership_pb2_grpc import OwnershipServiceAsyncStub
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub

TENANT: Final = "bench"
OWNER: Final = "bench-owner"
AT_ONCE: Final = 500


@dataclass(slots=True)
class House:
    """Holds a state layer's stubs, and the number of the newest entry of each run."""

    log: RunLogServiceAsyncStub
    owner: OwnershipServiceAsyncStub
    numbers: Counter[str] = field(default_factory=Counter)

    async def begin(self, prefix: str, count: int) -> list[str]:
        """Records runs that have started their one step, and returns their ids."""
        lease = RenewLeaseRequest(instance_id=OWNER)
        lease.ttl.FromSeconds(300)
        await self.owner.RenewLease(lease)
        names = [f"{prefix}-{number}" for number in range(count)]
        spec = RunSpec(agent="echo", input=[Content(text="go on")])
        events = [
            RunEvent(run_started=RunStarted()),
            RunEvent(step_id="main", attempt=1, step_started=StepStarted(agent="echo")),
        ]
        for first in range(0, count, AT_ONCE):
            entries = [
                RecordRunsEntry(tenant=TENANT, run_id=name, spec=spec, owner_instance_id=OWNER, events=events)
                for name in names[first : first + AT_ONCE]
            ]
            response = await self.log.RecordRuns(RecordRunsRequest(entries=entries))
            assert all(result.outcome == RECORD_OUTCOME_STARTED for result in response.results)
        return names

    async def append(self, runs: Sequence[str], text: str, events: Sequence[RunEvent] = ()) -> None:
        """Appends one token, or other events, to each of some runs, in one call."""
        self.numbers.update(runs)
        given = events or [RunEvent(step_id="main", attempt=1, token=Token(text=text))]
        entries = [
            AppendEventsEntry(
                tenant=TENANT,
                run_id=run,
                epoch=1,
                step_id="main",
                attempt=1,
                writer_id="bench-writer-0123456789",
                writer_sequence=self.numbers[run],
                events=given,
            )
            for run in runs
        ]
        response = await self.log.AppendEvents(AppendEventsRequest(entries=entries))
        assert all(result.outcome == APPEND_OUTCOME_APPENDED for result in response.results), response.results[0]


@asynccontextmanager
async def open_house(url: str) -> AsyncGenerator[House]:
    """Serves a state layer over a store for the block."""
    async with open_state(StateSettings(url=url)) as layer:
        server = InProcessServer("state")
        run_log_pb2_grpc.add_RunLogServiceServicer_to_server(layer.run_log, server)
        ownership_pb2_grpc.add_OwnershipServiceServicer_to_server(layer.ownership, server)
        await server.start()
        try:
            async with InProcessChannel(server) as channel:
                yield House(
                    run_log_pb2_grpc.RunLogServiceStub(channel), ownership_pb2_grpc.OwnershipServiceStub(channel)
                )
        finally:
            await server.stop(None)
