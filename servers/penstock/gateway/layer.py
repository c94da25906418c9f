"""The gateway layer as a whole: built from its settings, started, and stopped."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc.aio

from penstock.gateway.catalogue import Catalogue
from penstock.gateway.conversations import Conversations
from penstock.gateway.neighbours import Neighbours
from penstock.gateway.run_creation import RunCreation
from penstock.gateway.run_records import RunRecords
from penstock.gateway.run_streams import RunStreams
from penstock.gateway.service import GatewayParts, GatewayService
from penstock.gateway.settings import GatewaySettings
from penstock.gateway.status import Identity, LayerTarget, MeshStatus
from penstock.gateway.topics import Topics
from penstock.run_log.reader import LogReader


@dataclass(frozen=True, slots=True)
class GatewayLayer:
    """Represents a running gateway."""

    service: GatewayService


@asynccontextmanager
async def open_gateway(
    settings: GatewaySettings,
    *,
    orchestrator: grpc.aio.Channel,
    executor: grpc.aio.Channel,
    tools: grpc.aio.Channel,
    state: grpc.aio.Channel,
    identity: Identity,
    targets: Sequence[LayerTarget],
    instance_id: str,
) -> AsyncGenerator[GatewayLayer]:
    """Serves the public door for the block, over channels to the other layers.

    `targets` are the layers that GetStatus asks. Only the state layer is needed for reading runs.
    """
    neighbours = Neighbours.over(orchestrator=orchestrator, executor=executor, tools=tools, state=state)
    async with LogReader(neighbours.run_log) as reader:
        yield GatewayLayer(
            GatewayService(
                GatewayParts(
                    creation=RunCreation(settings, neighbours),
                    streams=RunStreams(settings, reader, neighbours.run_log),
                    records=RunRecords(settings, neighbours),
                    conversations=Conversations(settings, neighbours),
                    catalogue=Catalogue(settings, neighbours),
                    topics=Topics(settings, neighbours),
                    status=MeshStatus(identity, tuple(targets), instance_id, settings.status_timeout),
                )
            )
        )
