"""Spans of work within one task, and how it is seen whether somebody records."""

from __future__ import annotations

import asyncio
from contextvars import Context

import opentelemetry.metrics
import opentelemetry.trace
import pytest
from opentelemetry.context import attach
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

from penstock.wire.metering import meter
from penstock.wire.tracing import current_span, span, tracer
from tests.telemetry.recording import recording


async def test_work_that_is_closed_elsewhere_leaves_the_span_there_alone() -> None:
    """A task that is thrown away is closed by whoever collects it, whose work must not move into another trace."""

    async def working() -> None:
        with span("work"):
            await asyncio.Event().wait()

    with recording() as recorded:
        thrown_away = working()
        Context().run(thrown_away.send, None)
        with span("other") as other:
            thrown_away.close()
            assert current_span() is other
        assert current_span() is None
    assert [each.name for each in recorded.spans] == ["work", "other"]


def test_a_block_gives_back_the_span_that_was_current() -> None:
    """Also when it fails, and when its own code has left another one current."""

    def fail() -> None:
        with span("inner"):
            attach(set_span_in_context(INVALID_SPAN))
            raise LookupError

    with recording(), span("outer") as outer:
        with pytest.raises(LookupError):
            fail()
        assert current_span() is outer


def test_where_a_library_has_the_api_and_nobody_records_it_is_not_asked_on_each_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would look into the environment every time, at a tenth of the cost of a call within the process."""

    def ask() -> None:
        raise AssertionError("asked again")

    assert (tracer(), meter()) == (None, None)
    monkeypatch.setattr(opentelemetry.trace, "get_tracer_provider", ask)
    monkeypatch.setattr(opentelemetry.metrics, "get_meter_provider", ask)
    assert (tracer(), meter()) == (None, None)


def test_a_provider_that_is_set_later_is_used_from_then_on() -> None:
    """A program may set OpenTelemetry up after its first call."""
    assert (tracer(), meter()) == (None, None)
    with recording():
        assert tracer() is not None
        assert meter() is not None
    assert (tracer(), meter()) == (None, None)
