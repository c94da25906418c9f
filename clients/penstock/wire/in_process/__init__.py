"""A gRPC server and channel inside one process: same stubs, same servicers, same behaviour, no socket."""

from penstock.wire.in_process.channel import InProcessChannel
from penstock.wire.in_process.server import InProcessServer

__all__ = ["InProcessChannel", "InProcessServer"]
