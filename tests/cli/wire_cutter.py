"""A way to the mesh that can be cut, as networks are."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class WireCutter:
    """Passes bytes between an address of its own and the mesh's door, until its connections are cut."""

    def __init__(self, door: str) -> None:
        host, _, port = door.rpartition(":")
        self._door = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._passes = threading.Event()
        self._passes.set()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def cut(self) -> None:
        """Breaks every connection there is; new ones can be made."""
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hold(self) -> None:
        """Lets nothing through what is connected from now on, until `go_on`."""
        self._passes.clear()

    def go_on(self) -> None:
        """Lets everything through again."""
        self._passes.set()

    def close(self) -> None:
        """Cuts everything, for good."""
        self.go_on()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            self._passes.wait()
            far = socket.create_connection(self._door)
            self._ends += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pass, args=(source, target), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with source, suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire_to(door: str) -> Iterator[WireCutter]:
    """Gives a way to the mesh for a block."""
    cutter = WireCutter(door)
    try:
        yield cutter
    finally:
        cutter.close()
