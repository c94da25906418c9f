"""The tools layer as a whole: built from its settings, started, and stopped."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from penstock.tools.invocation import Invoker
from penstock.tools.loading import load_tools
from penstock.tools.service import ToolRunnerService
from penstock.tools.settings import ToolsSettings
from penstock.tools.threads import ToolThreads
from penstock.wire.background import background


@dataclass(frozen=True, slots=True)
class ToolsLayer:
    """Represents a running tools layer."""

    service: ToolRunnerService


@asynccontextmanager
async def open_tools(settings: ToolsSettings, *, instance_id: str = "") -> AsyncGenerator[ToolsLayer]:
    """Loads the tools and serves them for the block.

    Raises:
        ToolsNotLoaded: a tool can't be had as the settings name it.
    """
    tools = load_tools(settings.tools)
    # Calls belong to this group only while they run; their callers cancel them.
    async with background() as calls:
        invoker = Invoker(calls, ToolThreads(settings.max_threads), settings.stop_grace)
        yield ToolsLayer(ToolRunnerService(tools, invoker, instance_id))
