"""What runs can name: agents, tools and workflows, by name and in pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from penstock.gateway.neighbours import Neighbours
from penstock.gateway.page_token import make_token, read_token
from penstock.gateway.settings import GatewaySettings
from penstock.v1.executor_pb2 import DescribeAgentsRequest
from penstock.v1.gateway_pb2 import (
    ListAgentsRequest,
    ListAgentsResponse,
    ListToolsRequest,
    ListToolsResponse,
    ListWorkflowsRequest,
    ListWorkflowsResponse,
)
from penstock.v1.orchestrator_pb2 import DescribeWorkflowsRequest
from penstock.v1.tool_runner_pb2 import DescribeToolsRequest
from penstock.wire.rules.fields import DEFAULT_PAGE, check_page_size
from penstock.wire.rules.findings import Findings

MOST_PAGE_BYTES: Final = 1024 * 1024


class PageRequest(Protocol):
    """What the requests of all three lists have."""

    @property
    def page_size(self) -> int: ...

    @property
    def page_token(self) -> str: ...


class Named(Protocol):
    """What the entries of all three lists have."""

    @property
    def name(self) -> str: ...

    def ByteSize(self) -> int: ...  # noqa: N802 # protobuf's own name


Entry = TypeVar("Entry", bound=Named)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Lists what the layers that have it describe."""

    settings: GatewaySettings
    neighbours: Neighbours

    async def agents(self, request: ListAgentsRequest) -> ListAgentsResponse:
        """Returns a page of the executor's agents; raises InvalidArgument."""
        after = _start("agents", request)
        known = await self.neighbours.executor.DescribeAgents(
            DescribeAgentsRequest(), timeout=self.settings.read_timeout
        )
        page, token = _page("agents", known.agents, after, request.page_size)
        return ListAgentsResponse(agents=page, next_page_token=token)

    async def tools(self, request: ListToolsRequest) -> ListToolsResponse:
        """Returns a page of the tool runner's tools; raises InvalidArgument."""
        after = _start("tools", request)
        known = await self.neighbours.tools.DescribeTools(DescribeToolsRequest(), timeout=self.settings.read_timeout)
        page, token = _page("tools", known.tools, after, request.page_size)
        return ListToolsResponse(tools=page, next_page_token=token)

    async def workflows(self, request: ListWorkflowsRequest) -> ListWorkflowsResponse:
        """Returns a page of the orchestrator's workflows; raises InvalidArgument."""
        after = _start("workflows", request)
        known = await self.neighbours.orchestrator.DescribeWorkflows(
            DescribeWorkflowsRequest(), timeout=self.settings.read_timeout
        )
        page, token = _page("workflows", known.workflows, after, request.page_size)
        return ListWorkflowsResponse(workflows=page, next_page_token=token)


def _start(listing: str, request: PageRequest) -> str:
    findings = Findings()
    check_page_size(findings, request.page_size)
    findings.raise_any()
    return read_token(listing, request.page_token) if request.page_token else ""


def _page(listing: str, entries: Iterable[Entry], after: str, page_size: int) -> tuple[list[Entry], str]:
    # The position is a name and no number, so that entries that come or go meanwhile shift nothing.
    rest = sorted((entry for entry in entries if entry.name > after), key=lambda entry: entry.name)
    page: list[Entry] = []
    size = 0
    for entry in rest[: page_size or DEFAULT_PAGE]:
        size += entry.ByteSize()
        if page and size > MOST_PAGE_BYTES:
            break
        page.append(entry)
    return page, make_token(listing, page[-1].name) if len(page) < len(rest) else ""
