"""The life of a penstockd process: start, serve until told to stop, drain, stop."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.server.assemble import Mesh, open_mesh
from penstock.server.banner import banner
from penstock.server.config import Config
from penstock.server.drain import Say, drain
from penstock.server.identity import ProcessIdentity
from penstock.server.telemetry import Exports


class StopRequests:
    """Turns SIGTERM and Ctrl-C into a stop.

    STARTING ── first ──> cancelled
    SERVING ── first ──> draining ── second ──> cancelled
    """

    def __init__(self) -> None:
        self.serving = False
        self._asked = asyncio.Event()
        self._task = asyncio.current_task()

    async def wait(self) -> None:
        """Waits for the first request."""
        self.serving = True
        await self._asked.wait()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listens to the signals for a block."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _on_signal(self) -> None:
        if self.serving and not self._asked.is_set():
            self._asked.set()
        elif self._task is not None:
            self._task.cancel("told to stop at once")


async def serve(
    config: Config, *, identity: ProcessIdentity, exports: Exports, ready_file: Path | None, say: Say
) -> None:
    """Serves until SIGTERM or Ctrl-C, then drains and stops.

    `ready_file` is written once all listeners serve, and removed at the end. Raises CancelledError when told to stop
    at once, and what `open_mesh` raises.
    """
    stop = StopRequests()
    with stop.heard():
        async with open_mesh(config, identity) as mesh:
            with _announced(mesh, exports, ready_file):
                say(banner(config, mesh, exports))
                await stop.wait()
                await drain(mesh, config.drain_seconds, say)
    say("stopped")


@contextmanager
def _announced(mesh: Mesh, exports: Exports, ready_file: Path | None) -> Iterator[None]:
    """Tells other programs that this process serves: a file of one JSON object, there while it is true."""
    if ready_file is None:
        yield
        return
    facts = {
        "pid": os.getpid(),
        "listen": str(mesh.address),
        "inner_listen": str(mesh.listeners[1].address) if len(mesh.listeners) > 1 else "",
        "metrics_listen": str(exports.metrics_address or ""),
        "layers": list(mesh.running),
        "instance_id": mesh.identity.instance_id,
    }
    # Written aside and moved, so that nobody reads half of it.
    draft = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
    draft.write_text(json.dumps(facts))
    draft.replace(ready_file)
    try:
        yield
    finally:
        ready_file.unlink(missing_ok=True)
