"""Who keeps a command waiting."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from penstock.cli.terminal import note
from penstock.client import Client, PenstockError

QUIET_SECONDS: Final = 1.0


@asynccontextmanager
async def telling_who_is_away(client: Client) -> AsyncGenerator[None]:
    """Tells a person, once the block has taken a second, which layers its calls may wait for; a script is not told."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        telling = group.create_task(_tell(client)) if sys.stderr.isatty() else None
        try:
            yield
        except Exception as error:  # out of the group it would come as a group of errors
            failure = error
        finally:
            if telling is not None:
                telling.cancel()
    if failure is not None:
        raise failure


async def _tell(client: Client) -> None:
    await asyncio.sleep(QUIET_SECONDS)
    try:
        status = await client.get_status()
    except PenstockError:
        return  # the block's own calls fail in the same way, and that is told
    # A gateway that answers is not away, though it may not serve for want of the others.
    away = [layer.layer for layer in status.layers if not layer.serving and layer.layer != "gateway"]
    if away:
        note(f"{', '.join(away)} {'is' if len(away) == 1 else 'are'} away; asking again …")
