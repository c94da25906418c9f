"""What callers are told of failures, and what they are never told."""

import asyncio
import logging
from typing import Any

import grpc
import pytest

from penstock.wire.errors import InvalidArgument, NotFound, OverLimit, PenstockError, Unavailable
from penstock.wire.status import from_rpc_error

from .conftest import Serve, failure

SECRET = "postgres://admin:hunter2@db"


def raising(error: BaseException) -> Any:
    async def body(text: str, context: Any) -> str:
        raise error

    return body


@pytest.mark.parametrize("start", ["call", "stream"])
@pytest.mark.parametrize(
    "error", [RuntimeError(SECRET), SystemExit(SECRET), ExceptionGroup(SECRET, [ValueError(SECRET), OSError(SECRET)])]
)
async def test_the_text_of_an_unexpected_error_never_leaves_the_server(
    serve: Serve, start: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets a fixed text and the request id under which the log has the traceback."""
    async with serve(raising(error)) as served:
        told = await failure(getattr(served, start)(metadata=[("x-request-id", "req-of-mine")]))
        everything = repr(
            (told.details(), told.trailing_metadata(), told.initial_metadata(), told.debug_error_string())
        )
        assert told.code() is grpc.StatusCode.INTERNAL
        assert "hunter2" not in everything
        assert "req-of-mine" in (told.details() or "")
        logged = [record for record in caplog.records if record.name == "penstock.errors"]
        assert [vars(record)["request_id"] for record in logged] == ["req-of-mine"]
        assert logged[0].exc_info is not None
        assert "hunter2" in str(logged[0].exc_info[1]) or "hunter2" in str(logged[0].exc_info[1].__cause__)
        assert (await failure(served.call())).code() is grpc.StatusCode.INTERNAL  # the server lives on


@pytest.mark.parametrize("start", ["call", "stream"])
async def test_an_error_of_ours_arrives_with_all_its_details(serve: Serve, start: str) -> None:
    """Code, text, reason, facts, the time to wait and the request id arrive, over both transports."""
    error = OverLimit("too many for now", subject="tenant:a", retry_after=2.5)
    async with serve(raising(error)) as served:
        told = from_rpc_error(await failure(getattr(served, start)(metadata=[("x-request-id", "r-1")])))
    assert isinstance(told, OverLimit)
    assert (told.message, told.reason, told.subject, told.retry_after) == (
        "too many for now",
        "OVER_LIMIT",
        "tenant:a",
        2.5,
    )


async def test_an_error_wrapped_by_a_task_group_is_still_that_error(serve: Serve) -> None:
    """A handler may work in tasks without its errors turning into faults."""
    async with serve(raising(ExceptionGroup("tasks", [NotFound.named("run", "x")]))) as served:
        assert (await failure(served.call())).code() is grpc.StatusCode.NOT_FOUND


async def test_a_failed_inner_call_keeps_its_code_and_details(serve: Serve) -> None:
    """A hop in between changes neither the status nor what it says."""
    async with serve(raising(Unavailable("the store is away", retry_after=3.0, metadata={"run_id": "r"}))) as inner:

        async def call_inner(text: str, context: Any) -> str:
            await inner.call(text)
            raise AssertionError("the inner call must fail")

        async with serve(call_inner) as outer:
            told = from_rpc_error(await failure(outer.call()))
    assert isinstance(told, Unavailable)
    assert (told.message, told.retry_after, told.metadata["run_id"]) == ("the store is away", 3.0, "r")


async def test_the_text_of_a_peer_that_does_not_map_its_faults_stays_behind(serve: Serve) -> None:
    """UNKNOWN from a bare gRPC server carries its exception's text, which is not for our caller."""
    error = grpc.aio.AioRpcError(grpc.StatusCode.UNKNOWN, grpc.aio.Metadata(), grpc.aio.Metadata(), SECRET, SECRET)
    async with serve(raising(error)) as served:
        told = await failure(served.call())
    assert told.code() is grpc.StatusCode.INTERNAL
    assert "hunter2" not in repr(told)


async def test_bytes_that_are_no_message_are_an_invalid_argument(serve: Serve) -> None:
    """Malformed protobuf gets INVALID_ARGUMENT with a field violation, not UNKNOWN with the decoder's text."""

    async def never(text: str, context: Any) -> str:
        raise AssertionError("the handler must not be reached")

    async with serve(never) as served:
        told = from_rpc_error(await failure(served.raw(b"\xff\xff\xff")))
    assert isinstance(told, InvalidArgument)
    assert [violation.field for violation in told.violations] == ["request"]


async def test_an_error_with_a_thousand_violations_still_arrives_as_what_it_is(serve: Serve) -> None:
    """What would not fit into trailing metadata is left out, and counted, instead of breaking the answer."""
    error = InvalidArgument.of([(f"spec.plan.steps[{n}].step_id", "ist überzählig " * 20) for n in range(1000)])
    async with serve(raising(error)) as served:
        told = from_rpc_error(await failure(served.call()))
    assert isinstance(told, InvalidArgument)
    assert 3 < len(told.violations) < 100
    assert f"and {1000 - len(told.violations)} more" in told.message


async def test_a_long_text_and_long_facts_are_cut(serve: Serve) -> None:
    """An error that quotes what a caller sent can't grow past what metadata carries."""
    error = NotFound("ß" * 100_000, metadata={"name": "ß" * 100_000})
    async with serve(raising(error)) as served:
        told = from_rpc_error(await failure(served.call()))
    assert isinstance(told, NotFound)
    assert len(told.message.encode()) <= 700


@pytest.mark.parametrize("start", ["call", "stream"])
async def test_a_cancelled_call_is_no_error_of_the_server(
    serve: Serve, start: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Cancellation reaches the handler and nothing is logged as a fault."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(text: str, context: Any) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return text

    async with serve(wait) as served:
        call = getattr(served, start)()
        if start == "stream":
            reading = asyncio.ensure_future(call.read())
        await begun.wait()
        call.cancel()
        await cancelled.wait()
        if start == "stream":
            with pytest.raises(asyncio.CancelledError):
                await reading
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_metadata_that_the_handler_set_is_kept_beside_the_details(serve: Serve) -> None:
    """An error adds its details to trailing metadata and takes nothing away."""

    async def body(text: str, context: Any) -> str:
        context.set_trailing_metadata((("x-note", "kept"),))
        raise PenstockError("no")

    async with serve(body) as served:
        trailing = (await failure(served.call())).trailing_metadata()
    assert trailing is not None
    assert {"x-note", "grpc-status-details-bin"} <= {key for key, _ in trailing}
