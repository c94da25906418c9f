"""Where the store is cared for: a listener of its own, which nobody reaches from outside the machine."""

import logging
import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from penstock.interceptors.draining import Gate
from penstock.interceptors.guard import Load
from penstock.interceptors.stack import server_stack
from penstock.server.address import Address
from penstock.server.config import Config
from penstock.server.host import NotListening, listening_server
from penstock.server.reflection import add_reflection
from penstock.server.services import ADMIN_SERVICES

_LOGGER: Final = logging.getLogger(__name__)

# Systems take socket paths of 104 to 108 bytes.
_LONGEST_PATH: Final = 103
_STOP_GRACE: Final = 0.5


def admin_address(config: Config) -> Address | None:
    """Returns where the store of this process is administered; None: nowhere.

    By default that is a socket beside a SQLite file, open to whom the file itself is open to.
    """
    if "state" not in config.hosted or config.admin_listen == "none":
        return None
    if isinstance(config.admin_listen, Address):
        return config.admin_listen
    url = urlsplit(config.settings.state.url)
    path = f"{unquote(url.path.removeprefix('/'))}.admin"
    if url.scheme != "sqlite" or len(path.encode()) > _LONGEST_PATH:
        return None
    return Address(path=path)


@asynccontextmanager
async def administering(config: Config, running: Mapping[str, Any]) -> AsyncGenerator[Address | None]:
    """Serves administration for the block, and gives its address; None: nowhere.

    Raises NotListening when an address that was asked for can't be listened on.
    """
    address = admin_address(config)
    if address is None:
        yield None
        return
    loads = {service.name: Load(config.rules["state"]) for service in ADMIN_SERVICES}
    try:
        with _private(address):
            server, bound = listening_server(address, server_stack(loads, gate=Gate()), door=False)
    except NotListening as error:
        if config.admin_listen != "auto":
            raise
        _LOGGER.warning("the store can't be administered here: %s", error)
        yield None
        return
    for service in ADMIN_SERVICES:
        service.register(getattr(running["state"], service.attribute), server)
    if config.features["reflection"]:
        add_reflection(sorted(loads), server)
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(_STOP_GRACE)


@contextmanager
def _private(address: Address) -> Iterator[None]:
    """Has a socket that is made in the block belong to its owner alone, as the store's file does."""
    before = os.umask(0o177) if address.path else None
    try:
        yield
    finally:
        if before is not None:
            os.umask(before)
