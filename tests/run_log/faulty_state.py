"""A real state layer behind a wire that can lose answers, hold calls back, and break."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
from google.protobuf.duration_pb2 import Duration

from penstock.interceptors.errors import errors
from penstock.state.layer import open_state
from penstock.state.settings import StateSettings
from penstock.v1 import run_log_pb2 as log
from penstock.v1.ownership_pb2 import RenewLeaseRequest, SendSignalRequest, SendSignalResponse
from penstock.v1.ownership_pb2_grpc import OwnershipServiceStub, add_OwnershipServiceServicer_to_server
from penstock.v1.plan_pb2 import AgentStep, Plan, Step
from penstock.v1.run_event_pb2 import RunEvent, RunStarted, StepStarted, Token
from penstock.v1.run_log_pb2_grpc import RunLogServiceStub, add_RunLogServiceServicer_to_server
from penstock.v1.run_pb2 import Content, RunSpec, Signal
from penstock.v1.session_pb2_grpc import SessionServiceStub, add_SessionServiceServicer_to_server
from penstock.v1.state_pb2_grpc import add_StateServiceServicer_to_server
from penstock.wire.around import Around
from penstock.wire.call import Call
from penstock.wire.errors import Unavailable
from penstock.wire.in_process import InProcessChannel, InProcessServer

if TYPE_CHECKING:
    from penstock.v1.ownership_pb2_grpc import OwnershipServiceAsyncStub
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub
    from penstock.v1.session_pb2_grpc import SessionServiceAsyncStub

TENANT = "acme"
OWNER = "owner-1"


@dataclass
class Gate:
    """Holds calls of one rpc back; `arrived` once there is one."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Wire:
    """What goes wrong between the state layer and its callers."""

    calls: Counter[str] = field(default_factory=Counter)
    lose: Counter[str] = field(default_factory=Counter)
    refuse: Counter[str] = field(default_factory=Counter)
    gates: dict[str, Gate] = field(default_factory=dict)
    away: bool = False
    refused: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    streams: list[asyncio.Timeout] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def faults(self, call: Call) -> AsyncGenerator[None]:
        self.calls[call.name] += 1
        if (gate := self.gates.get(call.name)) is not None:
            gate.arrived.set()
            await gate.opened.wait()
        if self.away or self.refuse[call.name]:
            self.refuse[call.name] -= not self.away
            self.refused.set()
            raise Unavailable("the state layer is away")
        if call.kind.request_streaming:
            try:
                async with asyncio.timeout(None) as scope:
                    self.streams.append(scope)
                    yield
            except TimeoutError:
                raise Unavailable("the stream broke") from None
            return
        yield
        if self.lose[call.name]:
            self.lose[call.name] -= 1
            self.lost.set()
            raise Unavailable("the answer was lost")

    def hold(self, rpc: str) -> Gate:
        """Holds back the calls of an rpc from now on, until the gate is opened."""
        self.gates[rpc] = gate = Gate()
        return gate

    def let_go(self, rpc: str) -> None:
        """Lets what is held back go on, and holds no more."""
        self.gates.pop(rpc).opened.set()

    def break_streams(self) -> None:
        """Ends all streams that are open."""
        for scope in self.streams:
            scope.reschedule(0)
        self.streams.clear()


class _Scales(grpc.aio.UnaryUnaryClientInterceptor):
    """Notes how large each request is."""

    def __init__(self, sizes: list[int]) -> None:
        self._sizes = sizes

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self._sizes.append(request.ByteSize())
        return await continuation(client_call_details, request)


@dataclass
class FaultyState:
    """Holds the stubs over the faulty wire, and plays a run's owner."""

    wire: Wire
    channel: InProcessChannel
    log: RunLogServiceAsyncStub
    owner: OwnershipServiceAsyncStub
    sessions: SessionServiceAsyncStub

    async def lease(self, instance_id: str, seconds: float = 60) -> None:
        ttl = Duration()
        ttl.FromNanoseconds(round(seconds * 1e9))
        await self.owner.RenewLease(RenewLeaseRequest(instance_id=instance_id, ttl=ttl))

    async def record(self, run_id: str, *, owner: str = OWNER, agent: str = "echo", **spec: object) -> log.RunRecord:
        """Records a run of one agent step, begun by an owner that holds a lease."""
        await self.lease(OWNER)
        asked = RunSpec(agent=agent, input=[Content(text="task")], **spec)  # type: ignore[arg-type]  # the field names are the test's to choose
        entry = log.RecordRunsEntry(
            tenant=TENANT,
            run_id=run_id,
            spec=asked,
            plan=Plan(steps=[Step(step_id="main", agent=AgentStep(agent=agent))], sequential=True),
            owner_instance_id=owner,
            events=[
                RunEvent(run_started=RunStarted()),
                RunEvent(step_id="main", attempt=1, step_started=StepStarted(agent=agent)),
            ],
        )
        return (await self.log.RecordRuns(log.RecordRunsRequest(entries=[entry]))).results[0].record

    async def read(self, run_id: str) -> log.RunRecord | None:
        names = [log.RunName(tenant=TENANT, run_id=run_id)]
        records = (await self.log.ReadRuns(log.ReadRunsRequest(runs=names))).records
        return records[0] if records else None

    async def events(self, run_id: str, *, follow: bool = False) -> list[RunEvent]:
        """Reads a run's log: as it stands, or to its end."""
        request = log.ReadEventsRequest(tenant=TENANT, run_id=run_id, follow=follow)
        return [event async for batch in self.log.ReadEvents(request) for event in batch.events]

    async def texts(self, run_id: str) -> list[str]:
        """Reads the texts of a run's tokens."""
        return [event.token.text for event in await self.events(run_id) if event.HasField("token")]

    async def cancel(self, run_id: str, reason: str = "enough") -> SendSignalResponse:
        return await self.signal(run_id, "cancel", Signal(cancel=Signal.Cancel(reason=reason)))

    async def signal(self, run_id: str, name: str, signal: Signal) -> SendSignalResponse:
        return await self.owner.SendSignal(
            SendSignalRequest(tenant=TENANT, run_id=run_id, signal_id=f"{run_id}:{name}", signal=signal)
        )


def token(text: str) -> RunEvent:
    """Makes a token of the only step's first attempt."""
    return RunEvent(step_id="main", attempt=1, token=Token(text=text))


@asynccontextmanager
async def open_faulty_state(path: Path) -> AsyncGenerator[FaultyState]:
    """Serves a state layer on a fresh file behind a faulty wire."""
    wire = Wire()
    async with open_state(StateSettings(url=f"sqlite:///{path}/state.db")) as layer:
        server = InProcessServer("state", interceptors=[Around(errors, wire.faults)])
        add_RunLogServiceServicer_to_server(layer.run_log, server)
        add_OwnershipServiceServicer_to_server(layer.ownership, server)
        add_SessionServiceServicer_to_server(layer.sessions, server)
        add_StateServiceServicer_to_server(layer.values, server)
        await server.start()
        try:
            async with InProcessChannel(server, [_Scales(wire.sizes)]) as channel:
                yield FaultyState(
                    wire,
                    channel,
                    RunLogServiceStub(channel),
                    OwnershipServiceStub(channel),
                    SessionServiceStub(channel),
                )
        finally:
            await server.stop(None)
