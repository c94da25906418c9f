"""Having servers give back to the system what they do not use."""

from collections.abc import AsyncGenerator
from typing import Final

from penstock.state.redis.care_walk import KeyWalk
from penstock.state.redis.dial import parse_info
from penstock.state.redis.link import Link
from penstock.v1.state_admin_pb2 import VacuumStoreResponse
from penstock.wire.errors import PenstockError

_NOTE: Final = (
    "what is deleted is free at once, and used again; beside that each server was asked to give memory back that it "
    "does not use (MEMORY PURGE). Where much stays resident all the same, its activedefrag setting helps"
)


async def vacuum(link: Link) -> AsyncGenerator[VacuumStoreResponse]:
    """Asks one server after the other; see StoreCare."""
    freed = 0
    for place in KeyWalk(link).places().values():
        before = await _resident(link, place)
        try:
            await link.call("MEMORY", "PURGE", key=place)
        except PenstockError as error:
            if error.__cause__ is None:
                raise
            yield VacuumStoreResponse(
                freed_bytes=freed,
                note=f"a server does not let us ask for that ({error.__cause__}); it does so by itself",
            )
            return
        freed += max(0, before - await _resident(link, place))
        yield VacuumStoreResponse(freed_bytes=freed, note=_NOTE)


async def _resident(link: Link, place: bytes) -> int:
    info = parse_info(await link.call("INFO", "memory", key=place, read_only=True))
    return int(info.get("used_memory_rss", "0"))
