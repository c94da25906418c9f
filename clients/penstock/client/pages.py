"""Lists that come in pages, as one iterator."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Page(Protocol):
    """Represents a part of a list that knows where the next begins."""

    @property
    def next_page_token(self) -> str:
        """Token of the next page; empty: this is the last."""


SomePage = TypeVar("SomePage", bound=Page)


async def all_pages(
    ask: Callable[[str], Awaitable[SomePage]], items: Callable[[SomePage], Iterable[Item]]
) -> AsyncGenerator[Item, None]:
    """Yields the items of page after page; `ask` gets a page by its token, the first by an empty one."""
    token = ""
    while True:
        page = await ask(token)
        for item in items(page):
            yield item
        token = page.next_page_token
        if not token:
            return
