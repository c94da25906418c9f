"""Builds, starts and stops the orchestrator layer."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc.aio

from penstock.orchestrator.attempt import Attempts
from penstock.orchestrator.availability import Availability
from penstock.orchestrator.catalogue import Catalogue
from penstock.orchestrator.claims import Claims
from penstock.orchestrator.drive import Driving
from penstock.orchestrator.ender import Ender
from penstock.orchestrator.lease import Lease
from penstock.orchestrator.recorder import Recorder
from penstock.orchestrator.runs import Runs
from penstock.orchestrator.service import OrchestratorServicer
from penstock.orchestrator.settings import OrchestratorSettings
from penstock.orchestrator.start import Starter
from penstock.orchestrator.workflows import Workflows
from penstock.run_log.reader import LogReader
from penstock.run_log.writer import LogWriter, WriterSettings
from penstock.v1.executor_pb2_grpc import ExecutorServiceStub
from penstock.v1.ownership_pb2_grpc import OwnershipServiceStub
from penstock.v1.run_log_pb2_grpc import RunLogServiceStub
from penstock.v1.tool_runner_pb2_grpc import ToolRunnerServiceStub
from penstock.wire.background import background


@dataclass(frozen=True, slots=True)
class OrchestratorLayer:
    """Represents a running orchestrator."""

    service: OrchestratorServicer
    _runs: Runs
    _claiming: asyncio.Task[None]

    async def drain(self) -> None:
        """Claims no more runs, and returns when those that are going have ended."""
        self._claiming.cancel()
        await self._runs.drain()

    @property
    def running(self) -> int:
        """How many runs this process drives now."""
        return self._runs.count


@asynccontextmanager
async def open_orchestrator(
    settings: OrchestratorSettings,
    *,
    state: grpc.aio.Channel,
    executor: grpc.aio.Channel,
    tools: grpc.aio.Channel,
    instance_id: str,
) -> AsyncGenerator[OrchestratorLayer]:
    """Runs an orchestrator for the length of a block.

    Leaving the block stops driving: runs that are still going keep their log, and the next claimant brings each to its
    end.

    Raises:
        InvalidArgument: a workflow's file is wrong; all mistakes at once.
    """
    workflows = Workflows.load(settings.workflows)
    log = RunLogServiceStub(state)
    ownership = OwnershipServiceStub(state)
    agents = ExecutorServiceStub(executor)
    lease = Lease(ownership, instance_id, settings.lease_seconds)
    # What an owner writes can wait for the state layer as long as it takes: nobody else may write it.
    patient = WriterSettings(stall_seconds=None)
    async with LogWriter(log, patient) as writer, LogReader(log) as reader, background() as group:
        driving = Driving(writer, reader, Attempts(agents, log), Availability(executor), settings, group)
        runs = Runs(driving, Ender(writer, log), group, instance_id)
        recorder = Recorder(log, runs.recorded)
        claims = Claims(ownership, instance_id, lease, settings.claim_batch, runs.claimed)
        starter = Starter(Catalogue(agents, ToolRunnerServiceStub(tools)), workflows, recorder, instance_id)
        keeping = [
            group.create_task(lease.keep(), name="lease"),
            group.create_task(recorder.run(), name="recorder"),
            group.create_task(recorder.resolve_doubts(), name="recorder-doubts"),
        ]
        claiming = group.create_task(claims.run(), name="claims")
        try:
            yield OrchestratorLayer(OrchestratorServicer(starter, workflows, instance_id), runs, claiming)
        finally:
            for task in (*keeping, claiming):
                task.cancel()
            runs.stop()
            await lease.give_back()
