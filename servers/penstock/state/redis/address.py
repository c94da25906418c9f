"""The address of a Redis, read from its URL."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from re import fullmatch
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from penstock.v1.run_pb2 import Durability

FORMS: Final = (
    "redis://[user:password@]host[:6379][/db] for one server, redis+cluster://[user:password@]host[:port][,host:port…] "
    "for a Cluster, rediss:// and rediss+cluster:// for TLS"
)
OPTIONS: Final = (
    "?namespace=NAME, ?replicas=N, ?durability=power or replica, and with rediss:// "
    "?ssl_ca_certs=FILE, ?ssl_certfile=FILE, ?ssl_keyfile=FILE, ?ssl_check_hostname=no"
)
SCHEMES: Final = ("redis", "rediss", "redis+cluster", "rediss+cluster")
_PORT: Final = 6379
_LEVELS: Final = {
    "process": Durability.DURABILITY_PROCESS,
    "power": Durability.DURABILITY_POWER,
    "replica": Durability.DURABILITY_REPLICA,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Represents where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Says where the store is and how to get in.

    `replicas` is how many replicas each server has (None: as many as are seen at the start), `durability` the level
    that the server must keep.
    """

    endpoints: tuple[Endpoint, ...]
    cluster: bool
    tls: ssl.SSLContext | None = field(repr=False)
    user: str
    password: str = field(repr=False)
    database: int
    namespace: str
    replicas: int | None
    durability: Durability

    def __str__(self) -> str:
        """Names the place, without who enters and with what."""
        scheme = ("rediss" if self.tls else "redis") + ("+cluster" if self.cluster else "")
        return f"{scheme}://{','.join(str(endpoint) for endpoint in self.endpoints)}"


def parse_address(url: str) -> RedisAddress:
    """Reads a URL.

    Raises ValueError when it has another form; its text never has a part of the URL in which a password may stand.
    """
    try:
        return _parse(url)
    except _WrongOption as error:
        raise ValueError(f"the Redis address is wrong: {error}") from None
    except _WrongPart as error:
        raise ValueError(f"the Redis address is wrong: {error}; write {FORMS}") from None


class _WrongPart(Exception):
    pass


class _WrongOption(Exception):
    """Says by itself how to write what stands behind the question mark."""


def _parse(url: str) -> RedisAddress:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _WrongPart("its brackets are not those of an address; in a password write '[' as %5B") from None
    if parts.fragment:
        # Behind an unescaped # may stand the rest of a password: nothing of it is shown.
        raise _WrongPart("it has a '#'; in a password write it as %23")
    credentials, at, places = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    endpoints = tuple(_endpoint(place, secret=not at) for place in places.split(","))
    cluster = parts.scheme.endswith("+cluster")
    if len(endpoints) > 1 and not cluster:
        raise _WrongPart("several hosts are for redis+cluster:// alone")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) < len(pairs):
        raise _WrongOption("an option stands in it twice; write each once")
    address = RedisAddress(
        endpoints=endpoints,
        cluster=cluster,
        tls=_tls(options) if parts.scheme.startswith("rediss") else None,
        user=unquote(user),
        password=unquote(password),
        database=_database(parts.path.removeprefix("/"), cluster),
        namespace=_namespace(options.pop("namespace", "")),
        replicas=_replicas(options.pop("replicas", None)),
        durability=_durability(options.pop("durability", "process")),
    )
    if options:
        names = ", ".join(repr(name) for name in sorted(options))
        raise _WrongOption(f"there is no option {names}; write {OPTIONS}")
    return address


def _endpoint(place: str, *, secret: bool) -> Endpoint:
    # Without an @ the netloc may be the first half of a password with an unescaped slash.
    shown = "what stands after //" if secret else repr(place)
    found = fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", place)
    if found is None or not 0 < int(found[2] or _PORT) < 65536:
        raise _WrongPart(f"{shown} is not host:port; in a user or password write '/', '@' and ':' as %2F, %40 and %3A")
    return Endpoint(found[1].strip("[]"), int(found[2] or _PORT))


def _database(path: str, cluster: bool) -> int:
    if not path:
        return 0
    if not fullmatch(r"\d{1,5}", path):
        raise _WrongPart("what stands behind the host is not a database's number")
    if cluster and int(path):
        raise _WrongPart("a Cluster has only database 0")
    return int(path)


def _namespace(name: str) -> str:
    if not fullmatch(r"[A-Za-z0-9._-]{0,64}", name):
        raise _WrongOption("namespace must be up to 64 characters of A-Z a-z 0-9 . _ -")
    return name


def _replicas(number: str | None) -> int | None:
    if number is None:
        return None
    if not fullmatch(r"\d{1,2}", number):
        raise _WrongOption("replicas must be a number from 0 to 99")
    return int(number)


def _durability(name: str) -> Durability:
    if name.lower() not in _LEVELS:
        raise _WrongOption(f"durability must be one of {', '.join(_LEVELS)}")
    return _LEVELS[name.lower()]


def _tls(options: dict[str, str]) -> ssl.SSLContext:
    with _using("the file of ssl_ca_certs"):
        context = ssl.create_default_context(cafile=options.pop("ssl_ca_certs", None))
    certificate = options.pop("ssl_certfile", None)
    key = options.pop("ssl_keyfile", None)
    if certificate is not None:
        with _using("the file of ssl_certfile or ssl_keyfile"):
            context.load_cert_chain(certificate, key)
    elif key is not None:
        raise _WrongOption("ssl_keyfile needs ssl_certfile beside it")
    check = options.pop("ssl_check_hostname", "yes")
    if check not in ("yes", "no"):
        raise _WrongOption("ssl_check_hostname must be yes or no")
    context.check_hostname = check == "yes"
    return context


@contextmanager
def _using(file: str) -> Generator[None]:
    try:
        yield
    except OSError as error:  # ssl.SSLError is one
        raise _WrongOption(f"{file} can't be used: {error.strerror or error}") from error
