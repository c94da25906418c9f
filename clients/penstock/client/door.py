"""The channel to a mesh's public door."""

from typing import Final

import grpc

from penstock.wire.channel import CHANNEL_OPTIONS
from penstock.wire.service_config import service_config

SERVICE: Final = "penstock.v1.GatewayService"


def open_door(target: str) -> grpc.aio.Channel:
    """Returns a channel to the gateway at a gRPC target, with retries; the caller closes it.

    Unlike a layer's channel it asks a gateway that says it isn't ready all the same: reading a run needs no more than
    the state layer, and what the gateway itself answers (who is away, when to come again) says more than a refusal.
    """
    options = [
        *CHANNEL_OPTIONS,
        ("grpc.service_config", service_config(SERVICE)),
        ("grpc.inhibit_health_checking", 1),
        # A connection of its own for each client: the door takes 100 streams a connection, and more would wait.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    return grpc.aio.insecure_channel(target, options=options)
