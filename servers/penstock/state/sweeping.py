"""What time asks of a store, done beside its service."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from penstock.state.stores import Store
from penstock.wire.errors import PenstockError

_LOGGER = logging.getLogger(__name__)


@asynccontextmanager
async def sweeping(store: Store, interval: float) -> AsyncGenerator[None]:
    """Sweeps a store for the block, every `interval` seconds and on while there is more to do.

    The first time when an interval has passed: whoever waits for the store to open is served before it is swept.
    """
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        sweeper = group.create_task(_sweep(store, interval))
        try:
            yield
        except Exception as error:
            failure = error  # the block's own, which no group is to wrap
        finally:
            sweeper.cancel()
    if failure is not None:
        raise failure


async def _sweep(store: Store, interval: float) -> None:
    told = ""
    more = False
    while True:
        # Between two pieces all that waits gets its turn.
        await asyncio.sleep(0 if more else interval)
        more = False
        try:
            more = await store.sweep()
            told = ""
        except PenstockError as error:
            if str(error) != told:  # an absence of the store is told once
                _LOGGER.warning("the store could not be swept: %s", error)
            told = str(error)
        except Exception:
            _LOGGER.exception("the store could not be swept")  # the next time may be better; the service goes on
