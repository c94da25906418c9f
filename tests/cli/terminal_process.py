"""A command on a terminal of its own, as a person has it."""

import codecs
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.cli.emulator import Emulator

SECONDS = 60.0
# The terminal that a new session opens first is the one whose Ctrl-C it gets. A function between fork and exec would do
# too, but with it Python forks in a way that wakes gRPC's threads in the child, which then write to its terminal.
_ON_TERMINAL = ("/bin/sh", "-c", 'exec "$@" <>"$0"')


class TerminalProcess:
    """Runs a command on a new terminal, reads what it shows, and types; every wait is bounded."""

    def __init__(self, command: list[str], columns: int = 80, rows: int = 24, **environment: str) -> None:
        self.screen = Emulator(columns, rows)
        self.raw = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._end, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [*_ON_TERMINAL, os.ttyname(inner), *command],
            stdout=inner,
            stderr=inner,
            env={**inherited, "TERM": "xterm-256color", **environment},
            start_new_session=True,
        )
        os.close(inner)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)

    def type(self, text: str) -> None:
        """Presses keys; `\\x03` is Ctrl-C and `\\x04` Ctrl-D."""
        os.write(self._end, text.encode())

    @property
    def shows_keys(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._end)[3] & termios.ECHO)

    def resize(self, columns: int, rows: int) -> None:
        """Gives the terminal another size, as dragging its window does."""
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def expect(self, text: str, times: int = 1) -> None:
        """Waits until a text was shown so many times since the beginning."""
        until = time.monotonic() + SECONDS
        while self.raw.count(text) < times:
            assert self._read(until), f"{text!r} was not shown, but:\n{self.screen.text}\n{self.raw[-2000:]!r}"

    def expect_screen(self, holds: Callable[[str], bool]) -> None:
        """Waits until the screen is as it should be."""
        until = time.monotonic() + SECONDS
        while not holds(self.screen.text):
            assert self._read(until), f"the screen did not become so:\n{self.screen.text}"

    def finish(self) -> int:
        """Waits for the command's end, and returns its exit code."""
        until = time.monotonic() + SECONDS
        while self._read(until):
            pass
        return self.process.wait(timeout=SECONDS)

    def _read(self, until: float) -> bool:
        ready, _, _ = select.select([self._end], [], [], max(until - time.monotonic(), 0))
        try:
            read = os.read(self._end, 65536) if ready else b""
        except OSError:  # how Linux says that nobody is at the other end any more
            read = b""
        text = self._decode(read)
        self.raw += text
        self.screen.feed(text)
        return bool(read)
