"""A mesh's public door, as a client stands before it."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Final

import grpc

from penstock.v1 import gateway_pb2_grpc
from penstock.wire.channel import CHANNEL_OPTIONS
from penstock.wire.observe_calls import observe_calls
from penstock.wire.prepared_channel import PreparedChannel
from penstock.wire.service_config import service_config
from penstock.wire.target import grpc_target

if TYPE_CHECKING:
    from penstock.v1.gateway_pb2_grpc import GatewayServiceAsyncStub

SERVICE: Final = "penstock.v1.GatewayService"


class Door:
    """Represents one address of a gateway, and the connection to it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._target = grpc_target(address)

    @cached_property
    def stub(self) -> GatewayServiceAsyncStub:
        """The calls that can be made here."""
        return gateway_pb2_grpc.GatewayServiceStub(self._channel)

    async def aclose(self) -> None:
        """Ends all calls that go through here."""
        if "_channel" in self.__dict__:
            await self._channel.close()

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        # Made on first use: a channel belongs to the running event loop, and a client may be made before there is one.
        return open_door(self._target)


def open_door(target: str) -> grpc.aio.Channel:
    """Returns a channel to the gateway at a gRPC target; the caller closes it.

    Unlike a layer's channel it asks a gateway that says it isn't ready all the same: reading a run needs no more than
    the state layer, and what the gateway itself answers (who is away, when to come again) says more than a refusal.
    It doesn't retry by gRPC's policy either: the client does, knows other doors, and hears when to come again. Calls
    that never left are sent again by gRPC all the same.
    """
    config = json.loads(service_config(SERVICE))
    options = [
        *CHANNEL_OPTIONS,
        ("grpc.service_config", json.dumps({"loadBalancingConfig": config["loadBalancingConfig"]})),
        # A connection of its own for each client: the door takes 100 streams a connection, and more would wait.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    return PreparedChannel(grpc.aio.insecure_channel(target, options=options), [observe_calls(root=True)])
