"""Links to servers, for tests."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from penstock.state.redis.address import parse_address
from penstock.state.redis.link import Link, open_link
from penstock.state.redis.opening import look
from penstock.state.redis.scripts import Script

COUNT = Script("#!lua\nreturn redis.call('INCR', KEYS[1])")
ECHO = Script("#!lua flags=no-writes\nreturn ARGV[1]", read_only=True)


@asynccontextmanager
async def linked(url: str) -> AsyncGenerator[Link]:
    """Keeps a link to a store for the block."""
    address = parse_address(url)
    opening = await look(address)
    async with open_link(address, opening.owners, opening.replicas) as link:
        yield link
