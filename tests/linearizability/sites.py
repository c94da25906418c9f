"""Several clients of several state processes over one store, and the ways between them that break."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

from penstock.state.layer import StateLayer
from penstock.state.settings import StateSettings
from tests.state.house import House, open_house, visiting
from tests.stores.kinds import Kind
from tests.stores.proxy import proxy_to

_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class Site:
    """Holds a way to a state process for each client, and what breaks a connection somewhere."""

    clients: list[House]
    breaks: list[Callable[[], None]]

    def break_one(self, chance: Random) -> None:
        """Breaks connections at one place; they can be made again at once."""
        chance.choice(self.breaks)()


@asynccontextmanager
async def quiet_site(
    kind: Kind, url: str, clients: int, change: Callable[[StateLayer], StateLayer] = lambda layer: layer
) -> AsyncGenerator[Site]:
    """Gives clients that call the state processes of a store directly, for a block."""
    async with AsyncExitStack() as stack:
        houses = [
            await stack.enter_async_context(open_house(StateSettings(url=url), change=change))
            for _ in range(_replicas(kind))
        ]
        yield Site([houses[client % len(houses)] for client in range(clients)], [])


@asynccontextmanager
async def breaking_site(kind: Kind, url: str, clients: int, cut_store: Callable[[], None]) -> AsyncGenerator[Site]:
    """Gives clients whose connections, and those of the state processes to their store, can be broken.

    `cut_store` breaks the latter where the store is a Cluster, whose nodes can't be reached through a proxy.
    """
    async with AsyncExitStack() as stack:
        breaks: list[Callable[[], None]] = [cut_store] if kind.store == "cluster" else []
        if kind.store in ("valkey", "redis"):
            address = urlsplit(url).netloc
            proxy = await stack.enter_async_context(proxy_to(address))
            url = url.replace(address, proxy.address)
            breaks.append(proxy.cut)
        houses = [
            await stack.enter_async_context(open_house(StateSettings(url=url), over_tcp=True))
            for _ in range(_replicas(kind))
        ]
        ways = []
        for client in range(clients):
            house = houses[client % len(houses)]
            proxy = await stack.enter_async_context(proxy_to(house.address))
            breaks.append(proxy.cut)
            ways.append(await stack.enter_async_context(visiting(house, proxy.address)))
        yield Site(ways, breaks)


def _replicas(kind: Kind) -> int:
    return 1 if kind.store.startswith("sqlite") else _REPLICAS
