"""`ToolCatalogue`: what the tools layer says about its tools, remembered for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from penstock.v1 import tool_runner_pb2

if TYPE_CHECKING:
    from penstock.v1.tool_runner_pb2_grpc import ToolRunnerServiceAsyncStub

# Seconds; after a deployment of other tools, executors know of a changed effect at the latest by then.
_KEPT_FOR: Final = 30.0
_TIMEOUT: Final = 10.0


class ToolCatalogue:
    """Knows the tools' effects and timeouts, and asks again on a miss or after 30 s."""

    def __init__(self, tools: ToolRunnerServiceAsyncStub) -> None:
        self._tools = tools
        self._known: Mapping[str, tool_runner_pb2.ToolDescription] = {}
        self._answered_at = float("-inf")
        self._asking = asyncio.Lock()

    async def all(self) -> Sequence[tool_runner_pb2.ToolDescription]:
        """Returns all tools, by name.

        Raises:
            AioRpcError: the tools layer does not answer.
        """
        wanted_at = time.monotonic()
        if wanted_at - self._answered_at > _KEPT_FOR:
            await self._ask_after(wanted_at)
        return [self._known[name] for name in sorted(self._known)]

    async def find(self, name: str) -> tool_runner_pb2.ToolDescription | None:
        """Returns a tool's description; None: there is no such tool.

        Raises:
            AioRpcError: the tools layer does not answer.
        """
        wanted_at = time.monotonic()
        if name not in self._known or wanted_at - self._answered_at > _KEPT_FOR:
            await self._ask_after(wanted_at)
        return self._known.get(name)

    @property
    def names(self) -> list[str]:
        """The names known now."""
        return list(self._known)

    async def _ask_after(self, wanted_at: float) -> None:
        async with self._asking:
            # Whoever waited here finds the answer that another call got meanwhile.
            if self._answered_at < wanted_at:
                await self._ask()

    async def _ask(self) -> None:
        answer = await self._tools.DescribeTools(tool_runner_pb2.DescribeToolsRequest(), timeout=_TIMEOUT)
        self._known = {tool.name: tool for tool in answer.tools}
        self._answered_at = time.monotonic()
