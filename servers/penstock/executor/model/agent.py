"""The agent `model` as the executor has it: there at once, while what it needs is still being imported."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from penstock.executor.agent_context import AgentContext
from penstock.executor.agent_error import AgentError
from penstock.executor.loading import Agent
from penstock.executor.model.check import check_model
from penstock.executor.model.settings import AGENT_NAME, ModelSettings
from penstock.wire.background import background

if TYPE_CHECKING:
    from penstock.executor.model.playing import ModelPlayer

_LOGGER: Final = logging.getLogger("penstock.executor.model")


@asynccontextmanager
async def open_model(settings: ModelSettings) -> AsyncGenerator[Agent]:
    """Gives the agent `model` for the block.

    Raises:
        ModelNotUsable: the settings, or what is installed, won't do.
    """
    check_model(settings)
    loaded: asyncio.Future[ModelPlayer | None] = asyncio.get_running_loop().create_future()

    async def answer(task: str, context: AgentContext) -> AsyncGenerator[Any, None]:
        player = await asyncio.shield(loaded)
        if player is None:
            raise AgentError("the model client can't be loaded; the server's log says why", reason="MODEL_NOT_LOADED")
        async with aclosing(player.answer(task, context)) as items:
            async for item in items:
                yield item

    async with background() as group:
        group.create_task(_load(settings, loaded), name="load the model client")
        try:
            yield Agent(AGENT_NAME, f"Answers as {settings.name} does, with the tools of this mesh.", answer)
        finally:
            player = await loaded
            if player is not None:
                await player.aclose()


async def _load(settings: ModelSettings, loaded: "asyncio.Future[ModelPlayer | None]") -> None:
    """Makes the client right after the start, in a thread: importing it takes a second, in which others are served."""
    try:
        loaded.set_result(await asyncio.to_thread(_player, settings))
    except Exception:
        _LOGGER.exception("the model client can't be loaded")
        loaded.set_result(None)


def _player(settings: ModelSettings) -> "ModelPlayer":
    from penstock.executor.model.playing import ModelPlayer

    return ModelPlayer(settings)
