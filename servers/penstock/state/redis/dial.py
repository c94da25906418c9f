"""Connecting to a server, and asking it what it is."""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final

from hiredis import ReplyError

from penstock.state.redis.address import Endpoint, RedisAddress
from penstock.state.redis.identity import ServerIdentity
from penstock.state.redis.pipe import Pipe

_HANDSHAKE_S: Final = 2.0

RIGHTS: Final = "~penstock:* &penstock:* +@all -@dangerous +info +config|get +cluster|slots +cluster|myid"
"""What a user of the server must be allowed to do, as ACL SETUSER takes it."""


class NotConnected(Exception):
    """A server can't be used, for the reason that the text gives, with how to mend it; `passing` says it may mend
    itself."""

    def __init__(self, text: str, *, passing: bool = True) -> None:
        super().__init__(text)
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Server:
    """Represents what a server says about itself; `eviction` is its policy when it is full."""

    name: str
    version: tuple[int, ...]
    identity: ServerIdentity
    cluster: bool
    replica: bool
    loading: bool
    eviction: str
    replicas: int


async def dial(address: RedisAddress, endpoint: Endpoint) -> tuple[Pipe, Server]:
    """Connects to one server of an address and enters.

    Raises NotConnected.
    """
    try:
        _, pipe = await asyncio.get_running_loop().create_connection(
            Pipe,
            endpoint.host,
            endpoint.port,
            ssl=address.tls,
            server_hostname=endpoint.host if address.tls else None,
            ssl_handshake_timeout=_HANDSHAKE_S if address.tls else None,
        )
    except ssl.SSLError as error:
        raise NotConnected(
            f"{endpoint} does not accept our TLS ({error.reason or error}); check ssl_ca_certs, and that it serves TLS"
        ) from error
    except socket.gaierror as error:
        raise NotConnected(f"{endpoint} can't be reached: no such host; check the name") from error
    except ConnectionAbortedError as error:
        raise NotConnected(
            f"{endpoint} does not answer in TLS; if it does not serve TLS, write redis:// or redis+cluster://"
        ) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower() if not isinstance(error, ConnectionRefusedError) else ""
        raise NotConnected(
            f"{endpoint} can't be reached: {reason or 'connection refused'}; is Redis running, and listening there?"
        ) from error
    try:
        await _enter(pipe, address, endpoint)
        server = await _inspect(pipe, address, endpoint)
    except BaseException:
        pipe.close()
        raise
    pipe.identity = server.identity
    return pipe, server


async def dial_primary(address: RedisAddress, endpoint: Endpoint) -> tuple[Pipe, Server]:
    """Connects to a server that takes writes now.

    Raises NotConnected.
    """
    pipe, server = await dial(address, endpoint)
    if server.replica:
        fault = f"{endpoint} is a replica, and takes no writes; write the primary's address"
    elif server.loading:
        fault = f"{endpoint} is still loading its data; wait until it has"
    else:
        return pipe, server
    pipe.close()
    raise NotConnected(fault)


async def _enter(pipe: Pipe, address: RedisAddress, endpoint: Endpoint) -> None:
    try:
        if address.password or address.user:
            await pipe.ask("AUTH", *([address.user] if address.user else []), address.password)
        if address.database:
            await pipe.ask("SELECT", address.database)
    except ReplyError as error:
        raise _refused(str(error), address, endpoint) from error
    except ConnectionError as error:
        raise _hung_up(pipe, address, endpoint) from error


async def _inspect(pipe: Pipe, address: RedisAddress, endpoint: Endpoint) -> Server:
    try:
        info = parse_info(await pipe.ask("INFO"))
        loading = info.get("loading", "0") != "0"
        always = False
        place = pipe.peer
        if not loading:
            always = info.get("aof_enabled") == "1" and await _syncs_always(pipe)
            if info.get("cluster_enabled") == "1":
                place = (await pipe.ask("CLUSTER", "MYID")).decode()
            elif info.get("second_repl_offset", "-1") != "-1":
                # It was promoted: behind one address that always leads to the primary, it is not who was there before.
                place += f"/{info.get('master_replid2', '')}"
    except ReplyError as error:
        raise _refused(str(error), address, endpoint) from error
    except ConnectionError as error:
        raise _hung_up(pipe, address, endpoint) from error
    return Server(
        name=name_in(info),
        version=tuple(int(part) for part in info.get("redis_version", "0").split(".") if part.isdigit()),
        identity=ServerIdentity(place, info.get("run_id", ""), aof_always=always),
        cluster=info.get("cluster_enabled") == "1",
        replica=info.get("role") != "master",
        loading=loading,
        eviction=info.get("maxmemory_policy", "noeviction"),
        replicas=replicas_in(info),
    )


async def _syncs_always(pipe: Pipe) -> bool:
    try:
        found = await pipe.ask("CONFIG", "GET", "appendfsync")
    except ReplyError:
        return False  # whoever may not ask must not rely on it
    return len(found) == 2 and found[1] == b"always"


def _refused(text: str, address: RedisAddress, endpoint: Endpoint) -> NotConnected:
    code = text.split(" ", 1)[0]
    if code == "NOAUTH":
        return NotConnected(
            f"{endpoint} wants a password; write it into the address, as in redis://:PASSWORD@host", passing=False
        )
    if code == "WRONGPASS" or "AUTH" in text:
        who = f"user {address.user!r}" if address.user else "the default user"
        return NotConnected(
            f"{endpoint} does not accept the password given for {who}; "
            "check both, and write special characters in them as %XX",
            passing=False,
        )
    if code == "NOPERM":
        return NotConnected(
            f"{endpoint} does not let {address.user or 'the default user'} run what is needed ({text}); "
            f"allow it by ACL SETUSER {address.user or 'default'} {RIGHTS}",
            passing=False,
        )
    if code == "LOADING":
        return NotConnected(f"{endpoint} is still loading its data; wait until it has")
    if "max number of clients" in text:
        return NotConnected(f"{endpoint} has as many clients as it takes; raise its maxclients, or close some")
    if "DB index" in text:
        return NotConnected(
            f"{endpoint} has no database {address.database}; take a smaller number, or raise its `databases`",
            passing=False,
        )
    return NotConnected(f"{endpoint} answered {text!r}", passing=False)


def _hung_up(pipe: Pipe, address: RedisAddress, endpoint: Endpoint) -> NotConnected:
    if pipe.unasked:
        return _refused(pipe.unasked, address, endpoint)
    hint = "" if address.tls else " If it serves TLS, write rediss:// or rediss+cluster://"
    return NotConnected(f"{endpoint} closed the connection before it said what it is; is it a Redis or Valkey?{hint}")


def name_in(info: dict[str, str]) -> str:
    """Returns what a server calls itself, with its version."""
    valkey = info.get("valkey_version") if info.get("server_name", "redis") != "redis" else None
    return f"Valkey {valkey}" if valkey else f"Redis {info.get('redis_version', '?')}"


def replicas_in(info: dict[str, str]) -> int:
    """Returns how many replicas follow a server."""
    return sum("state=online" in value for key, value in info.items() if key.startswith("slave"))


def parse_info(reply: Any) -> dict[str, str]:
    """Reads the answer to INFO."""
    lines = (line.partition(":")[::2] for line in reply.decode(errors="replace").splitlines() if ":" in line)
    return dict(lines)
