"""Fetching a page, as Prometheus does."""

import asyncio
from urllib.request import urlopen


async def fetched(url: str) -> str:
    """Returns the text at a URL."""

    def fetch() -> str:
        with urlopen(url, timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    return await asyncio.to_thread(fetch)
