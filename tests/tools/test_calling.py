"""What a caller of a tool gets, whatever the tool does."""

import asyncio
import json

import grpc
import pytest
import sample_tools

from penstock.v1 import run_event_pb2 as events
from penstock.v1.tool_runner_pb2 import CallToolRequest, CallToolResponse
from penstock.wire.errors import InvalidArgument, NotFound
from penstock.wire.status import from_rpc_error, reason_of

ALL = "sample_tools:EVERYTHING"


async def call(tools, name, arguments="", **fields) -> CallToolResponse:
    async with tools(ALL) as stub:
        request = CallToolRequest(tool=name, arguments_json=arguments, **fields)
        return await stub.CallTool(request, timeout=10)


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("repeat", '{"text": "ab"}', "abab"),
        ("repeat", '{"text": "ab", "times": 3}', "ababab"),
        ("undeclared", '{"point": {"x": 4}}', {"x": 4, "y": 0, "unit": "m"}),
        ("awkward_names", '{"json":1,"schema":2,"_private":3,"model_config":4}', [1, 2, 3, 4]),
        ("in_thread", "", True),
        ("returns_dataclass", "{}", [{"x": 1, "y": 2}]),
        ("anything", '{"value": []}', []),
        ("anything", '{"value": null}', None),
        ("anything", '{"value": "\\u00e9\\u0000"}', "é\0"),
    ],
)
async def test_a_tool_gets_typed_arguments_and_its_result_comes_back_as_json(tools, name, arguments, result):
    """Typed arguments in, JSON out, for synchronous and asynchronous tools."""
    answer = await call(tools, name, arguments)
    assert answer.outcome == events.TOOL_OUTCOME_SUCCEEDED
    assert json.loads(answer.result_json) == result
    assert not answer.HasField("error")
    assert answer.duration.ToNanoseconds() > 0


async def test_integers_keep_every_digit_on_the_way_in_and_out(tools):
    """An integer beyond 2^64 is not rounded."""
    digits = "123456789012345678901234567890"
    answer = await call(tools, "anything", f'{{"value": {digits}}}')
    assert answer.result_json == digits


async def test_a_tool_knows_on_whose_behalf_it_is_called(tools):
    """The context parameter carries key, run, tenant and user."""
    async with tools(ALL) as stub:
        answer = await stub.CallTool(
            CallToolRequest(tool="who_asks", idempotency_key="k1", run_id="r1"),
            metadata=(("x-penstock-tenant", "acme"), ("x-penstock-user", "j%C3%B6rg")),
        )
    assert json.loads(answer.result_json) == {"key": "k1", "run": "r1", "tenant": "acme", "user": "jörg"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "arguments: "),
        ("{}", "text: Field required"),
        ('{"text": 1}', "text: Input should be a valid string"),
        ('{"text": "a", "times": 11}', "times: Input should be less than or equal to 10"),
        ('{"text": "a", "extra": 1}', "extra: Extra inputs are not permitted"),
        ('{"text": "a", "times": NaN}', "NaN is no JSON number"),
        ("[" * 200_000, "not JSON"),
        ('{"text": "a", "times": ' + "9" * 5_000 + "}", "not JSON"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_with_place_and_reason(tools, arguments, said):
    """Nothing is run, and the agent can read what to mend."""
    answer = await call(tools, "repeat", arguments)
    assert answer.outcome == events.TOOL_OUTCOME_INVALID_ARGUMENTS
    assert answer.error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert said in answer.error.message


async def test_the_place_of_a_nested_mistake_is_written_as_a_path(tools):
    """`point.x` says where."""
    answer = await call(tools, "undeclared", '{"point": {"x": "north"}}')
    assert "point.x: " in answer.error.message


async def test_a_refusal_raised_on_purpose_is_shown_word_for_word(tools):
    """ToolError is the tool's way to talk to the agent."""
    answer = await call(tools, "refuses")
    assert (answer.outcome, answer.error.message) == (
        events.TOOL_OUTCOME_FAILED,
        "refuses: the pump is switched off",
    )


async def test_the_text_of_an_unexpected_exception_stays_in_the_log(tools, caplog):
    """Only the exception's type is told."""
    answer = await call(tools, "leaks")
    assert answer.error.message == "leaks raised KeyError"
    assert "secret-password" not in str(answer)
    assert "secret-password" in caplog.text


@pytest.mark.parametrize("name", ["exits", "exits_async", "stops_iterating"])
async def test_a_tool_that_tries_to_end_the_process_only_fails(tools, name):
    """SystemExit in a tool is its failure, and the runner serves on."""
    async with tools(ALL) as stub:
        answer = await stub.CallTool(CallToolRequest(tool=name))
        assert answer.outcome == events.TOOL_OUTCOME_FAILED
        again = await stub.CallTool(CallToolRequest(tool="in_thread"))
        assert again.outcome == events.TOOL_OUTCOME_SUCCEEDED


@pytest.mark.parametrize("name", ["never", "hangs", "stubborn"])
async def test_a_tool_that_takes_too_long_is_timed_out_even_if_it_will_not_stop(tools, name):
    """Asynchronous, blocking and cancellation-swallowing tools alike."""
    sample_tools.released.clear()
    async with asyncio.timeout(5), tools(ALL) as stub:
        try:
            answer = await stub.CallTool(CallToolRequest(tool=name))
        finally:
            sample_tools.released.set()
    assert answer.outcome == events.TOOL_OUTCOME_TIMED_OUT
    assert reason_of(answer.error) == "TOOL_TIMEOUT"


async def test_a_tool_is_cancelled_with_the_call_that_wanted_it(tools, monkeypatch):
    """Nobody waits any more, so the work stops."""
    monkeypatch.setattr(sample_tools, "started", asyncio.Event())
    monkeypatch.setattr(sample_tools, "cancelled", asyncio.Event())
    async with asyncio.timeout(5), tools(ALL) as stub:
        ongoing = asyncio.ensure_future(stub.CallTool(CallToolRequest(tool="waits")))
        await sample_tools.started.wait()
        ongoing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ongoing
        await sample_tools.cancelled.wait()


@pytest.mark.parametrize(
    ("name", "reason", "said"),
    [
        ("returns_socket", "TOOL_RESULT_NOT_JSON", "returned a object that can't be written as JSON"),
        ("returns_nan", "TOOL_RESULT_NOT_JSON", "can't be written as JSON"),
        ("returns_too_much", "TOOL_RESULT_TOO_LARGE", "the limit is 1048576"),
    ],
)
async def test_a_result_that_can_not_travel_is_a_failure_that_says_so(tools, name, reason, said):
    """What is no JSON, and what is over 1 MiB."""
    answer = await call(tools, name)
    assert answer.outcome == events.TOOL_OUTCOME_FAILED
    assert reason_of(answer.error) == reason
    assert said in answer.error.message


async def test_an_unknown_tool_is_not_found_with_the_nearest_names(tools):
    """The caller learns how the tool is really called."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(tools, "repaet")
    error = from_rpc_error(caught.value)
    assert isinstance(error, NotFound)
    assert (error.metadata["tool"], error.metadata["nearest"]) == ("repaet", "repeat")


async def test_a_malformed_call_names_each_field(tools):
    """Ids outside their alphabet and arguments over 1 MiB are the caller's mistake."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(tools, "a b", "x" * (1024 * 1024 + 1), run_id="a/b", idempotency_key="ü")
    error = from_rpc_error(caught.value)
    assert isinstance(error, InvalidArgument)
    assert [v.field for v in error.violations] == ["tool", "run_id", "idempotency_key", "arguments_json"]


async def test_calls_run_side_by_side_but_no_more_threads_than_allowed(tools):
    """A blocked tool holds its thread, and the others still get theirs."""
    sample_tools.released.clear()
    async with asyncio.timeout(5), tools(ALL, threads=2) as stub:
        blocked = stub.CallTool(CallToolRequest(tool="hangs"))
        quick = await stub.CallTool(CallToolRequest(tool="in_thread"))
        assert quick.outcome == events.TOOL_OUTCOME_SUCCEEDED
        assert (await blocked).outcome == events.TOOL_OUTCOME_TIMED_OUT
        also_blocked = await stub.CallTool(CallToolRequest(tool="hangs"))
        assert also_blocked.outcome == events.TOOL_OUTCOME_TIMED_OUT
        waiting = stub.CallTool(CallToolRequest(tool="in_thread"))
        sample_tools.released.set()
        assert (await waiting).outcome == events.TOOL_OUTCOME_SUCCEEDED


@pytest.mark.parametrize(("name", "arguments"), [("reads_badly", '{"number": 1}'), ("returns_badly", "{}")])
async def test_code_of_a_tool_that_reads_arguments_or_writes_results_can_not_end_the_layer(tools, name, arguments):
    """Whatever it raises is the tool's failure, and the next call is served."""
    async with tools(f"sample_tools:{name}", "sample_tools:repeat") as stub:
        answer = await stub.CallTool(CallToolRequest(tool=name, arguments_json=arguments), timeout=10)
        assert (answer.outcome, reason_of(answer.error)) == (events.TOOL_OUTCOME_FAILED, "TOOL_FAILED")
        again = await stub.CallTool(CallToolRequest(tool="repeat", arguments_json='{"text": "ab"}'), timeout=10)
        assert again.outcome == events.TOOL_OUTCOME_SUCCEEDED
