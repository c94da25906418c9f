"""`watched`: says whose code blocks the event loop, on which everybody else's runs, tokens and leases wait."""

import asyncio
import logging
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_LOGGER: Final = logging.getLogger("penstock.loop")
_LIBRARIES: Final = tuple(sysconfig.get_paths()[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib"))

# Seconds between looks, and for which the loop may be busy before anybody hears of it.
LOOK: Final = 0.5
BLOCKED: Final = 1.0


@contextmanager
def watched() -> Iterator[None]:
    """Watches the running event loop from a thread of its own, for a block."""
    watch = _Watch(asyncio.get_running_loop(), threading.get_ident())
    thread = threading.Thread(target=watch.run, name="loop-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.end()
        thread.join()


def place_of(frame: FrameType | None) -> str:
    """Says where code is now: the innermost place that is in no library, else the innermost."""
    stack = traceback.extract_stack(frame) if frame is not None else []
    own = [at for at in stack if not at.filename.startswith(_LIBRARIES) and not at.filename.startswith("<")]
    at = next(iter(reversed(own or stack)), None)
    return "an unknown place" if at is None else f"{at.filename}:{at.lineno} in {at.name}"


class _Watch:
    def __init__(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        self._loop = loop
        self._thread_id = thread_id
        self._ended = threading.Event()
        self._answered = threading.Event()

    def end(self) -> None:
        """Ends it at once, also while it waits for an answer, which the loop that ends it can't give any more."""
        self._ended.set()
        self._answered.set()

    def run(self) -> None:
        """Asks the loop for a sign of life again and again; tells once for each time that none comes."""
        while not self._ended.wait(LOOK):
            asked_at = time.monotonic()
            self._answered = answered = threading.Event()
            if self._ended.is_set():
                return
            self._loop.call_soon_threadsafe(answered.set)
            if answered.wait(BLOCKED):
                continue
            _LOGGER.warning(
                "the event loop is blocked, and all that this process does with it, at %s; what waits or computes for "
                "long belongs into `await asyncio.to_thread(…)`",
                place_of(sys._current_frames().get(self._thread_id)),
            )
            answered.wait()
            _LOGGER.warning("the event loop was blocked for %.1f s", time.monotonic() - asked_at)
