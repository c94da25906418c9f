"""Running synchronous tools without blocking the event loop."""

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any


class ToolThreads:
    """Runs each synchronous call in a thread of its own, at most so many at once.

    A pool's threads are waited for when the interpreter ends, so that one tool that hangs would keep the process
    alive for ever; daemon threads are not. A call that nobody awaits any more keeps its place until it returns.
    """

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)

    async def run(self, function: Callable[[], Any]) -> Any:
        """Returns what the function returns, or raises what it raises, SystemExit included."""
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        context = copy_context()

        def settle(result: Any, error: BaseException | None) -> None:
            self._places.release()
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(_carried(error))

        def work() -> None:
            result, raised = None, None
            try:
                result = context.run(function)
            except BaseException as error:
                raised = error
            try:
                loop.call_soon_threadsafe(settle, result, raised)
            except RuntimeError:
                return  # the loop was closed meanwhile: nobody waits for the answer

        threading.Thread(target=work, name="penstock-tool", daemon=True).start()
        return await answer


def _carried(error: BaseException) -> BaseException:
    # A future refuses StopIteration, and would hand an exit request on to the event loop.
    if isinstance(error, (StopIteration, SystemExit, KeyboardInterrupt)):
        carried = RuntimeError(f"the tool raised {type(error).__name__}")
        carried.__cause__ = error
        return carried
    return error
