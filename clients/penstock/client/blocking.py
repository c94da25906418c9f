"""One call without `await`, for scripts and notebooks."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import Any, Unpack

from penstock.client.client import DEFAULT_ADDRESS, Client
from penstock.client.spec import RunOptions, Task
from penstock.v1.run_pb2 import Run

Work = Callable[[], Coroutine[Any, Any, Run]]


def run(
    task: Task,
    *,
    address: str | Sequence[str] = DEFAULT_ADDRESS,
    wait: float | None = None,
    **options: Unpack[RunOptions],
) -> Run:
    """Runs a task and returns the run when it has ended: `Client.execute_run`, for where there is no `await`.

        import penstock.client

        done = penstock.client.run("one two three", agent="hello")
        print(penstock.client.text_of(done))

    In a notebook, whose event loop is running already, it works in a thread of its own meanwhile. Ctrl-C gives up the
    waiting and leaves the run going. Whoever has more than one call to make is better off with a `Client`.

    Raises:
        PenstockError: the call failed; after `wait` seconds (None: never) with DeadlineExceeded.
    """

    async def once() -> Run:
        async with Client(address) as client:
            return await client.execute_run(task, wait=wait, **options)

    # Not in the `except` itself: each error of the call would be told as one that came while handling another.
    return _beside(once) if _has_running_loop() else asyncio.run(once())


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _beside(work: Work) -> Run:
    """Does the work in an event loop of its own, in a thread that ends with it."""
    started: Future[Callable[[], object]] = Future()
    done: Future[Run] = Future()

    async def cancellable() -> Run:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # this is one
        started.set_result(partial(loop.call_soon_threadsafe, task.cancel))
        return await work()

    def main() -> None:
        try:
            done.set_result(asyncio.run(cancellable()))
        except BaseException as error:
            done.set_exception(error)

    # With the caller's context, so that the call joins its trace.
    thread = Thread(target=copy_context().run, args=(main,), name="penstock-run")
    thread.start()
    try:
        return done.result()
    except BaseException:  # Ctrl-C, or whatever else a signal's handler raises here, such as SystemExit
        with suppress(RuntimeError):  # its loop is closed: it has come to its end
            started.result()()
        raise
    finally:
        thread.join()
