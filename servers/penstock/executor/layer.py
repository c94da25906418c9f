"""The executor layer as a whole: built from its settings, started, and stopped."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc.aio

from penstock.executor.loading import load_agents
from penstock.executor.model.agent import open_model
from penstock.executor.preparation import Preparation
from penstock.executor.service import ExecutorService
from penstock.executor.settings import ExecutorSettings
from penstock.executor.stage import Stage
from penstock.run_log.writer import LogWriter, WriterSettings
from penstock.v1 import run_log_pb2_grpc
from penstock.wire.background import background


@dataclass(frozen=True, slots=True)
class ExecutorLayer:
    """Represents a running executor layer."""

    service: ExecutorService


@asynccontextmanager
async def open_executor(
    settings: ExecutorSettings, *, state: grpc.aio.Channel, tools: grpc.aio.Channel, instance_id: str
) -> AsyncGenerator[ExecutorLayer]:
    """Loads the agents and serves them for the block.

    Raises:
        AgentsNotLoaded: an agent can't be had as the settings name it.
        ModelNotUsable: the model can't be had in this environment.
    """
    agents = dict(load_agents(settings.agents))
    log_settings = WriterSettings(stall_seconds=settings.log_patience)
    # Work belongs to this group only while it runs; the calls that wait for it cancel it.
    async with (
        AsyncExitStack() as models,
        LogWriter(run_log_pb2_grpc.RunLogServiceStub(state), log_settings) as log,
        background() as work,
    ):
        if settings.model is not None:
            model = await models.enter_async_context(open_model(settings.model))
            agents = dict(sorted({**agents, model.name: model}.items()))
        stage = Stage(work, settings.stop_grace)
        preparation = Preparation(state, tools, settings)
        yield ExecutorLayer(ExecutorService(agents, preparation, log, stage, instance_id))
