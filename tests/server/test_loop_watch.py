"""The watch over the event loop, apart from a process that serves."""

import asyncio
import logging
import threading

import pytest

from penstock.server import loop_watch


async def test_a_watch_ends_at_once_and_without_a_word_while_it_waits_for_an_answer(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop that ends it can't answer at the same time, and is not blocked for that."""
    monkeypatch.setattr(loop_watch, "LOOK", 0.0)  # so that it asks all the time
    monkeypatch.setattr(loop_watch, "BLOCKED", 3600.0)
    caplog.set_level(logging.WARNING, "penstock.loop")
    asked = threading.Event()
    loop = asyncio.get_running_loop()
    ask = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *given, **more: (ask(*given, **more), asked.set())[0])
    with loop_watch.watched():
        assert asked.wait(10)  # the loop is kept here, so that the question stays open
    assert not caplog.records
