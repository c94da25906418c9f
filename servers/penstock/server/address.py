"""Where a server listens."""

from __future__ import annotations

from dataclasses import dataclass, replace

_HOW = "write HOST:PORT (port 0 takes any free one), [IPv6]:PORT or unix:/path"


@dataclass(frozen=True, slots=True)
class Address:
    """Represents a place to listen: a host and port, or the path of a socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Reads an address; raises ValueError that says how to write it."""
        if text.startswith("unix:"):
            path = text.removeprefix("unix:").removeprefix("//")
            if not path:
                raise ValueError(f"{text!r} is no address: nothing follows unix:; {_HOW}")
            return cls(path=path)
        host, colon, port = text.rpartition(":")
        if not colon or not host:
            raise ValueError(f"{text!r} is no address: it has no host or no port; {_HOW}")
        if not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise ValueError(f"{text!r} is no address: {port!r} is no port; {_HOW}")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"{text!r} is no address: an IPv6 address stands in brackets; {_HOW}")
        if not host or any(character in host for character in " /[]"):
            raise ValueError(f"{text!r} is no address: {host!r} is no host; {_HOW}")
        return cls(host, int(port))

    @property
    def target(self) -> str:
        """The address as gRPC writes it, for servers and clients alike."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def with_port(self, port: int) -> Address:
        """Returns the address with the port that the system chose."""
        return self if self.path else replace(self, port=port)

    def __str__(self) -> str:
        return self.target
