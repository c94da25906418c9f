"""The channels from this process's layers to those that they call."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

import grpc

from penstock.gateway.status import LayerTarget
from penstock.interceptors.stack import client_stack
from penstock.server.services import service_names
from penstock.wire.channel import CHANNEL_OPTIONS, open_channel
from penstock.wire.in_process import InProcessChannel, InProcessServer
from penstock.wire.target import grpc_target

IN_PROCESS = "in-process"


class Channels:
    """Opens one channel to each layer when it is first asked for, and closes them with the stack."""

    def __init__(
        self, local: Mapping[str, InProcessServer], connect: Mapping[str, str], closing: AsyncExitStack
    ) -> None:
        self._local = local
        self._connect = connect
        self._closing = closing
        self._calling: dict[str, grpc.aio.Channel] = {}
        self._asking: dict[str, LayerTarget] = {}

    def to(self, layer: str) -> grpc.aio.Channel:
        """Returns the channel for calls to a layer, hosted here or connected."""
        channel = self._calling.get(layer)
        if channel is None:
            service, *more = service_names(layer)
            channel = self._calling[layer] = open_channel(
                self._connect.get(layer, ""),
                service=service,
                more_services=more,
                interceptors=client_stack(),
                local=self._local.get(layer),
            )
            self._closing.push_async_callback(channel.close)
        return channel

    def target(self, layer: str) -> LayerTarget:
        """Returns where to ask a layer for its health.

        The channel for calls sends none to a layer that says it is not ready, and so would not hear why.
        """
        asked = self._asking.get(layer)
        if asked is None:
            local = self._local.get(layer)
            if local is not None:
                channel: grpc.aio.Channel = InProcessChannel(local)
                address = IN_PROCESS
            else:
                address = self._connect[layer]
                channel = grpc.aio.insecure_channel(grpc_target(address), options=CHANNEL_OPTIONS)
            self._closing.push_async_callback(channel.close)
            asked = self._asking[layer] = LayerTarget(layer, address, channel, service_names(layer)[0])
        return asked
