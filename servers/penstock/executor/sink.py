"""Where the events of an attempt go."""

from typing import Protocol

from penstock.v1.run_event_pb2 import RunEvent


class Sink(Protocol):
    """Takes events in order; a run's RunWriter is one, the stream of StreamExecute another."""

    async def emit(self, *events: RunEvent) -> None:
        """Takes events, and waits only where too much is on its way."""

    async def append(self, *events: RunEvent) -> object:
        """Takes events, and returns when nothing can undo them."""
