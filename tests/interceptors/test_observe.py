"""What the log says of each call."""

import asyncio
import logging
from itertools import groupby
from typing import Any

import grpc
import pytest

from penstock.interceptors.context import Door
from penstock.interceptors.rules import LayerRules
from penstock.wire.errors import NotFound, Unavailable

from .conftest import Serve, echo, failure, too_slow


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Catches all that is logged of calls."""
    caplog.set_level(logging.DEBUG, logger="penstock.calls")
    return caplog


def calls(log: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in log.records if record.name == "penstock.calls"]


async def test_each_call_leaves_one_line_with_its_ids_and_its_end(serve: Serve, log: pytest.LogCaptureFixture) -> None:
    """Method, kind, code, duration, layer, peer and whose call it was are fields of the record."""
    async with serve(echo, door=Door("house")) as served:
        await served.call(metadata=[("x-request-id", "r-1"), ("x-session-id", "s-1")])
        assert [message.value async for message in served.stream()] == ["hello"]
    unary, stream = calls(log)
    assert unary["method"] == "/penstock.v1.GatewayService/GetRun"
    assert (unary["kind"], unary["code"], unary["layer"]) == ("unary_unary", "OK", "gateway")
    assert (unary["request_id"], unary["session_id"], unary["tenant"]) == ("r-1", "s-1", "house")
    assert unary["duration_ms"] >= 0
    assert unary["peer"]
    assert unary["levelno"] == logging.INFO
    assert (stream["kind"], stream["code"]) == ("unary_stream", "OK")


async def test_the_line_knows_how_a_failed_call_really_ended(serve: Serve, log: pytest.LogCaptureFixture) -> None:
    """The code is the one that the caller got: of an error of ours, an abort, a fault, a refusal."""

    async def body(text: str, context: Any) -> str:
        if text == "abort":
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "away")
        raise NotFound("no") if text == "missing" else RuntimeError("a fault")

    async with serve(body) as served:
        for text in ("missing", "abort", "fault"):
            await failure(served.call(text))
        await failure(served.call(metadata=[("x-request-id", "no spaces!")]))
    assert [(line["code"], line["levelno"]) for line in calls(log)] == [
        ("NOT_FOUND", logging.INFO),
        ("OUT_OF_RANGE", logging.INFO),
        ("INTERNAL", logging.WARNING),
        ("INVALID_ARGUMENT", logging.INFO),
    ]


@pytest.mark.parametrize(("listening", "level"), [(True, logging.WARNING), (False, logging.DEBUG)])
async def test_an_absence_is_a_warning_where_no_caller_in_the_process_tells_of_it(
    serve: Serve, log: pytest.LogCaptureFixture, listening: bool, level: int
) -> None:
    """What a process asks of itself again and again filled its log while the store was away."""

    async def body(text: str, context: Any) -> str:
        raise Unavailable("away") if text == "away" else RuntimeError("a fault")

    async with serve(body, listening=listening) as served:
        for text in ("away", "fault"):
            await failure(served.call(text))
    assert [(line["code"], line["levelno"]) for line in calls(log)] == [
        ("UNAVAILABLE", level),
        ("INTERNAL", logging.WARNING),
    ]


async def test_a_cancel_and_a_deadline_are_told_apart(serve: Serve, log: pytest.LogCaptureFixture) -> None:
    """Both reach the handler as cancellation; the line says which it was."""
    begun: asyncio.Queue[None] = asyncio.Queue()
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def wait(text: str, context: Any) -> str:
        context.add_done_callback(lambda _: ended.put_nowait(None))
        begun.put_nowait(None)
        await asyncio.Event().wait()
        return text

    async with serve(wait, rules=LayerRules("gateway")) as served:
        call = served.call(method="ExecuteRun")
        await begun.get()
        call.cancel()
        await ended.get()
        await too_slow(served.call, begun, method="ExecuteRun")
        await ended.get()
    assert [code for code, _ in groupby(line["code"] for line in calls(log))] == ["CANCELLED", "DEADLINE_EXCEEDED"]
