"""The grpc.aio server of a listener, with settings that were each seen to matter."""

import socket
from collections.abc import Sequence
from typing import Final

import grpc

from penstock.server.address import Address
from penstock.wire.in_process.limits import MAX_MESSAGE_BYTES

OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Above the soft limit calls fail at random, above the hard one the error would name the caller's keys.
    ("grpc.max_metadata_size", 8_192),
    ("grpc.absolute_max_metadata_size", 16_384),
    # A connection that says nothing does not hold its socket.
    ("grpc.server_handshake_timeout_ms", 5_000),
    # A peer that is gone without a word is noticed within seconds; without the third it takes a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    # Our own clients ping every 20 s; without this they are answered GOAWAY too_many_pings.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
    # Otherwise a second process would listen on the same port without an error.
    ("grpc.so_reuseport", 0),
)

# grpc advertises no limit of its own: one connection had 5,170 live handlers after 3 s.
DOOR_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_concurrent_streams", 100),
    ("grpc.max_connection_idle_ms", 300_000),
    # Ends calls whose request never comes, and bounds how long an expired credential is of use.
    ("grpc.max_connection_age_ms", 600_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
)

# Inside there is no age: it would cut long steps.
INNER_OPTIONS: Final[tuple[tuple[str, int], ...]] = (("grpc.max_concurrent_streams", 1_000),)


class NotListening(OSError):
    """An address can't be listened on; the text says why and what to do."""


def listening_server(
    address: Address, interceptors: Sequence[grpc.aio.ServerInterceptor], *, door: bool
) -> tuple[grpc.aio.Server, Address]:
    """Makes a server that is bound but not started, and the address with the port it really has.

    Raises NotListening.
    """
    _bind_once(address)
    server = grpc.aio.server(interceptors=interceptors, options=[*OPTIONS, *(DOOR_OPTIONS if door else INNER_OPTIONS)])
    try:
        port = server.add_insecure_port(address.target)
    except RuntimeError as error:
        raise NotListening(f"can't listen on {address}: grpc could not bind it; choose another address") from error
    return server, address.with_port(port)


def _bind_once(address: Address) -> None:
    """Finds out what grpc does not tell: why an address can't be bound."""
    if address.path:
        _find_free(address)
        return
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise NotListening(f"can't listen on {address}: {error.strerror}; write it as HOST:PORT") from error
    family, kind, protocol, _, where = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
            probe.listen(1)
        except OSError as error:
            raise NotListening(
                f"can't listen on {address}: {error.strerror}; stop what listens there, or choose another address "
                "with --listen (port 0 takes any free one)"
            ) from error


def _find_free(address: Address) -> None:
    """Finds out whether somebody listens at a socket's path, which grpc would take away without a word."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address.path)
        except OSError:
            return  # nothing is there, or was left behind by a process that is no more
    raise NotListening(
        f"can't listen on {address}: another process does; give each process a path of its own, or stop the other"
    )
