"""Reading one run's log from a cursor on."""

import asyncio
from collections.abc import AsyncGenerator

from penstock.state.tails.tail import Tail
from penstock.v1.run_log_pb2 import TailBatch


async def follow(tail: Tail, max_bytes: int, *, to_the_end: bool) -> AsyncGenerator[TailBatch]:
    """Yields what a tail brings: until the run has ended, or just what is there now.

    Only what the caller has taken is followed by more, so a slow one costs nothing.
    """
    news = asyncio.Event()
    forget = tail.watch(news.set)
    try:
        while True:
            news.clear()
            batch = TailBatch()
            if await tail.collect(max_bytes, batch):
                yield batch
            if tail.closed or not (tail.has_more or to_the_end):
                return
            if not tail.has_more:
                await news.wait()
    finally:
        forget()
