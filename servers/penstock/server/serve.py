"""The life of a penstockd process: start, serve until told to stop, drain, stop."""

import asyncio
import gc
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from penstock.server.assemble import Mesh, open_mesh
from penstock.server.banner import banner
from penstock.server.config import Config
from penstock.server.drain import Say, drain
from penstock.server.identity import ProcessIdentity
from penstock.server.loop_watch import place_of, watched
from penstock.server.telemetry import Exports

# Seconds after which a signal that the event loop did not take in says that it is blocked.
UNHEARD: Final = 1.0


class StopRequests:
    """Turns SIGTERM and Ctrl-C into a stop.

    STARTING ── first ──> cancelled
    SERVING ── first ──> draining ── second ──> cancelled

    Where the event loop is blocked, by an agent that never awaits for one, nothing of that can happen: then the second
    signal, a second after the first, ends the process on the spot. It loses nothing that a killed process would keep.
    """

    def __init__(self) -> None:
        self.serving = False
        self._asked = asyncio.Event()
        self._task = asyncio.current_task()
        self._unheard_since: float | None = None

    async def wait(self) -> None:
        """Waits for the first request."""
        self.serving = True
        await self._asked.wait()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listens to the signals for a block."""
        loop = asyncio.get_running_loop()

        # Not the loop's own handlers, which are called by the loop alone: Python's come between any two of its steps.
        def on_signal(number: int, frame: FrameType | None) -> None:
            if self._unheard_since is None:
                self._unheard_since = time.monotonic()
            elif time.monotonic() - self._unheard_since >= UNHEARD:
                where = f"penstockd: ended at once, because the event loop is blocked at {place_of(frame)}\n"
                os.write(2, where.encode())
                os._exit(1)
            loop.call_soon_threadsafe(self._on_signal)

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self) -> None:
        self._unheard_since = None
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
            # What is there by now stays. To look at all of it in each full collection stops the loop for some 10 ms.
            gc.collect()
            gc.freeze()
            # Not before: while a process starts, its imports keep the loop, and nobody waits for it yet.
            with watched(), _announced(mesh, exports, ready_file):
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
        "admin_listen": str(mesh.admin or ""),
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
