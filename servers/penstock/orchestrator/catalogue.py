"""Which agents and tools there are, as the layers below last told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final

import grpc.aio

from penstock.v1.executor_pb2 import DescribeAgentsRequest
from penstock.v1.plan_pb2 import Plan
from penstock.v1.tool_runner_pb2 import DescribeToolsRequest
from penstock.wire.errors import NotFound
from penstock.wire.status import from_inner_error

if TYPE_CHECKING:
    from penstock.v1.executor_pb2_grpc import ExecutorServiceAsyncStub
    from penstock.v1.tool_runner_pb2_grpc import ToolRunnerServiceAsyncStub

_FRESH_SECONDS: Final = 5.0


class Names:
    """Remembers a set of names for a few seconds, and asks again at once for one that it does not know."""

    def __init__(self, ask: Callable[[], Awaitable[Iterable[str]]]) -> None:
        self._ask = ask
        self._known: frozenset[str] | None = None
        self._failure: grpc.aio.AioRpcError | None = None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def require(self, kind: str, name: str) -> None:
        """Raises NotFound, with the nearest names, unless the name is known.

        A stale answer is better than none: while the layer is away, what it had counts.
        """
        wanted_at = time.monotonic()
        if self._known is None or name not in self._known or wanted_at - self._asked_at >= _FRESH_SECONDS:
            async with self._asking:
                # Whoever waited here takes what another call was told meanwhile.
                if self._asked_at <= wanted_at:
                    await self._refresh()
        if self._known is None:
            assert self._failure is not None  # an answer or a failure was noted
            raise from_inner_error(self._failure) from self._failure
        if name not in self._known:
            raise NotFound.named(kind, name, sorted(self._known))

    async def _refresh(self) -> None:
        try:
            self._known = frozenset(await self._ask())
        except grpc.aio.AioRpcError as error:
            self._failure = error
        self._asked_at = time.monotonic()


class Catalogue:
    """Knows the agents of the executors and the tools of the tool runners."""

    def __init__(self, executor: ExecutorServiceAsyncStub, tools: ToolRunnerServiceAsyncStub) -> None:
        self._executor = executor
        self._tools = tools
        self._agent_names = Names(self._ask_agents)
        self._tool_names = Names(self._ask_tools)

    async def check(self, plan: Plan) -> None:
        """Raises NotFound for the first agent or tool of a plan that nobody has."""
        for step in plan.steps:
            if step.HasField("agent"):
                await self._agent_names.require("agent", step.agent.agent)
            elif step.HasField("tool"):
                await self._tool_names.require("tool", step.tool.tool)

    async def _ask_agents(self) -> Iterable[str]:
        response = await self._executor.DescribeAgents(DescribeAgentsRequest(), timeout=5.0)
        return [agent.name for agent in response.agents]

    async def _ask_tools(self) -> Iterable[str]:
        response = await self._tools.DescribeTools(DescribeToolsRequest(), timeout=5.0)
        return [tool.name for tool in response.tools]
