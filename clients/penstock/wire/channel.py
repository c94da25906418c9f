"""`open_channel`: the one place that decides whether a stub's channel stays in this process or leaves it."""

from collections.abc import Sequence

import grpc

from penstock.wire.in_process import InProcessChannel, InProcessServer
from penstock.wire.in_process.limits import MAX_MESSAGE_BYTES
from penstock.wire.prepared_channel import PreparedChannel
from penstock.wire.preparing import split
from penstock.wire.service_config import service_config
from penstock.wire.target import grpc_target

# A misspelt option is ignored without a word, so tests look at what these do.
CHANNEL_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A peer that is gone without a word is noticed within seconds; the first two alone take a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    # A stopped reader holds back its writer after some 70 messages; with the probe it would be 100,000.
    ("grpc.http2.bdp_probe", 0),
    # A peer that was restarted is found again within about two seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 1),
)


def open_channel(
    target: str,
    *,
    service: str,
    more_services: Sequence[str] = (),
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    local: InProcessServer | None = None,
) -> grpc.aio.Channel:
    """Returns a channel for the stubs of `service` (its full name) and `more_services`, which the caller closes.

    `local` is the server in this process that hosts the service; without one, the channel goes to `target`: a
    `host:port`, several `ip:port` with commas between, or a gRPC target. Raises ValueError for a malformed target
    and for a service whose generated module has not been imported.
    """
    prepares, others = split(interceptors)
    channel: grpc.aio.Channel
    if local is not None:
        channel = InProcessChannel(local, others)
    else:
        options = [*CHANNEL_OPTIONS, ("grpc.service_config", service_config(service, *more_services))]
        channel = grpc.aio.insecure_channel(grpc_target(target), options=options, interceptors=others)
    return PreparedChannel(channel, prepares) if prepares else channel
