"""Who asks and how much time is left, as handlers find it."""

import asyncio
from typing import Any

import grpc
import pytest

from penstock.interceptors.context import Door, context
from penstock.interceptors.rules import LayerRules
from penstock.wire.call import Call, Kind, Side
from penstock.wire.context import RequestContext, current_context, use_context
from penstock.wire.deadline import Deadline, current_deadline, use_deadline
from penstock.wire.errors import InvalidArgument
from penstock.wire.status import from_rpc_error

from .conftest import Serve, echo, failure

DOOR = Door(tenant="house")


async def who(text: str, context: Any) -> str:
    asked = current_context()
    assert asked is not None
    return f"{asked.tenant}|{asked.user}|{asked.request_id}|{asked.session_id}|{asked.trace_id}"


async def time_left(text: str, context: Any) -> str:
    deadline = current_deadline()
    return "none" if deadline is None else str(deadline.remaining())


async def test_the_ids_of_a_request_reach_the_handler(serve: Serve) -> None:
    """Request, session, trace, tenant and user of the caller's metadata are those of the handler's context."""
    asked = RequestContext("r-1", user="Änne", session_id="s-1", tenant="t-1")
    async with serve(who) as served:
        answer = await served.call(metadata=asked.to_metadata())
    assert answer.value == f"t-1|Änne|r-1|s-1|{asked.trace_id}"


async def test_an_inner_call_carries_the_context_of_the_work_it_is_made_for(serve: Serve) -> None:
    """The client stack sends ids along, in either transport, without the caller doing anything."""
    asked = RequestContext("r-2", user="u", session_id="s-2", tenant="t-2")
    async with serve(who, inner=True) as served:
        with use_context(asked):
            answer = await served.call()
            streamed = [message.value async for message in served.stream()]
    assert [answer.value] == streamed == [f"t-2|u|r-2|s-2|{asked.trace_id}"]


@pytest.mark.parametrize("key", ["x-penstock-tenant", "x-penstock-user", "x-penstock-anything"])
async def test_strangers_at_the_door_cannot_say_whose_work_it_is(serve: Serve, key: str) -> None:
    """Keys that only layers may set are refused from outside, by name."""
    async with serve(who, door=DOOR) as served:
        told = from_rpc_error(await failure(served.call(metadata=[(key, "someone-else")])))
        assert isinstance(told, InvalidArgument)
        assert [violation.field for violation in told.violations] == [f"metadata[{key}]"]
        assert (await served.call(metadata=[("x-request-id", "r-3")])).value.startswith("house||r-3|")


async def test_every_wrong_key_is_named_at_once(serve: Serve) -> None:
    """Doubled ids and ids outside their alphabet are each a violation of one answer."""
    wrong = [("x-request-id", "a"), ("x-request-id", "b"), ("x-session-id", "no spaces!")]
    async with serve(echo) as served:
        told = from_rpc_error(await failure(served.call(metadata=wrong)))
    assert isinstance(told, InvalidArgument)
    assert {violation.field for violation in told.violations} == {
        "metadata[x-request-id]",
        "metadata[x-session-id]",
    }


@pytest.mark.parametrize("value", ["a\x00b", "a\nb", "a\x7fb", "ä"])
async def test_control_characters_in_metadata_are_refused_by_key(value: str) -> None:
    """Clients other than gRPC's own deliver such bytes to handlers; no log line or header is made of them."""
    call = Call("/penstock.v1.GatewayService/GetRun", Kind.UNARY_UNARY, Side.SERVER, [("x-note", value)])
    with pytest.raises(InvalidArgument) as caught, context()(call):
        pytest.fail("it must not be let in")
    assert [violation.field for violation in caught.value.violations] == ["metadata[x-note]"]


async def test_the_deadline_of_the_caller_is_what_the_handler_has_left(serve: Serve) -> None:
    """A shorter deadline than the layer's holds; without one, the layer's own does."""
    async with serve(time_left, rules=LayerRules("gateway", timeout=70.0)) as served:
        assert 20.0 < float((await served.call(timeout=30.0)).value) < 30.1
        assert 60.0 < float((await served.call()).value) <= 70.0
        assert 60.0 < float((await served.call(timeout=1e9)).value) <= 70.0


async def test_long_calls_have_no_other_deadline_than_their_callers(serve: Serve) -> None:
    """A stream, and an rpc that waits for a run, may outlast the layer's bound for short calls."""
    async with serve(time_left, rules=LayerRules("gateway", timeout=0.5)) as served:
        assert (await served.call(method="ExecuteRun")).value == "none"
        assert [message.value async for message in served.stream()] == ["none"]
        assert 20.0 < float((await served.call(method="ExecuteRun", timeout=30.0)).value) < 30.1  # gRPC rounds up


async def test_a_short_call_is_given_up_at_the_bound_of_its_layer(serve: Serve) -> None:
    """A handler that hangs does not hold its caller, who set no deadline."""
    cancelled = asyncio.Event()

    async def hang(text: str, context: Any) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return text

    async with serve(hang, rules=LayerRules("gateway", timeout=0.1)) as served:
        told = await failure(served.call())
        await cancelled.wait()
    assert told.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "0.1 s" in (told.details() or "")


async def test_a_timeout_of_somebody_elses_is_a_fault_and_not_our_deadline(serve: Serve) -> None:
    """TimeoutError from a library inside a handler says nothing about the caller's deadline."""

    async def body(text: str, context: Any) -> str:
        raise TimeoutError("a library's own")

    async with serve(body) as served:
        assert (await failure(served.call())).code() is grpc.StatusCode.INTERNAL


async def test_an_inner_call_never_outlasts_the_call_it_is_made_for(serve: Serve) -> None:
    """What is left of the current deadline bounds calls without a timeout, and those with a longer one."""
    async with serve(time_left, inner=True) as served:
        with use_deadline(Deadline.after(15.0)):
            assert float((await served.call()).value) < 15.1
            assert float((await served.call(timeout=200.0)).value) < 15.1
            assert float((await served.stream().read()).value) < 15.1
        assert 20.0 < float((await served.call()).value) < 30.1
        assert [message.value async for message in served.stream()] == ["none"]
