"""The mesh's tools in the hands of a model."""

import json

from penstock.client import Client, Transcript
from penstock.v1 import run_event_pb2 as events
from penstock.wire.status import from_status
from tests.models.model_process import ModelProcess
from tests.models.reading import failure, of_kind, read


async def test_a_tool_call_that_comes_in_pieces_is_made_and_its_result_goes_back(
    client: Client, model_server: ModelProcess
) -> None:
    """Arguments spread over many chunks are one recorded call, and the model goes on from the result."""
    seen = await read(client, "adds")
    (call,) = of_kind(seen, "tool_call")
    assert (call.tool_call.tool, json.loads(call.tool_call.arguments_json)) == ("add", {"a": 2, "b": 40})
    assert seen[-2].step_finished.output[0].text == "It is 42"
    assert Transcript().consume_all(seen).text == "Let me add. It is 42"
    asked = (await model_server.seen("adds"))[-1]
    assert [said["role"] for said in asked["body"]["messages"][-2:]] == ["assistant", "tool"]


async def test_tools_that_are_asked_for_together_run_side_by_side_in_order(client: Client) -> None:
    """Three calls of one turn are numbered as the model wrote them, and each result finds its call."""
    seen = await read(client, "side_by_side")
    calls = [
        (call.tool_call.ordinal, json.loads(call.tool_call.arguments_json)["a"]) for call in of_kind(seen, "tool_call")
    ]
    assert calls == [(1, 0), (2, 1), (3, 2)]
    assert seen[-2].step_finished.output[0].text == "100 101 102"


async def test_the_model_gets_every_tool_with_its_schema_under_a_name_it_may_say(
    client: Client, model_server: ModelProcess
) -> None:
    """All tools of the tools layer are offered, described as they describe themselves; dots and colons are replaced."""
    await read(client, "normal")
    offered = {tool["function"]["name"]: tool["function"] for tool in (await model_server.seen())[-1]["body"]["tools"]}
    assert set(offered) == {"add", "files_read_v1", "breaks", "counts", "counts_and_hangs"}
    assert offered["add"]["description"] == "Adds two whole numbers."
    assert offered["add"]["parameters"]["properties"]["a"]["type"] == "integer"
    assert offered["add"]["parameters"]["required"] == ["a", "b"]


async def test_a_tool_is_recorded_under_its_own_name(client: Client) -> None:
    """What the model calls `files_read_v1` is `files.read:v1` in the log, and it is that which runs."""
    seen = await read(client, 'uses files_read_v1 {"name": "a.txt"}')
    assert of_kind(seen, "tool_call")[0].tool_call.tool == "files.read:v1"
    assert seen[-2].step_finished.output[0].text == "the text of a.txt"


async def test_a_model_that_gives_wrong_arguments_is_told_and_may_try_again(client: Client) -> None:
    """Arguments that don't fit the schema, or are no JSON, come back to the model with what is wrong with them."""
    seen = await read(client, "asks_wrongly")
    outcomes = [result.tool_result.outcome for result in of_kind(seen, "tool_result")]
    assert outcomes == [events.TOOL_OUTCOME_INVALID_ARGUMENTS, events.TOOL_OUTCOME_SUCCEEDED]
    wrong, unreadable, right = seen[-2].step_finished.output[0].text.split(" | ")
    assert "should be a valid integer" in wrong
    assert "Invalid JSON" in unreadable
    assert right == "5"


async def test_arguments_that_only_python_reads_are_asked_for_again(client: Client) -> None:
    """NaN and half of a character are no JSON to others: the model is told, and no call of them is recorded."""
    seen = await read(client, "odd_arguments")
    (call,) = of_kind(seen, "tool_call")
    assert call.tool_call.arguments_json == '{"name":"a.txt"}'
    not_a_number, half, right = seen[-2].step_finished.output[0].text.split(" | ")
    assert "these arguments can't be used" in not_a_number
    assert "Invalid JSON" in half
    assert right == "the text of a.txt"


async def test_a_model_that_makes_up_a_tool_is_told_which_there_are(client: Client, model_server: ModelProcess) -> None:
    """It may do so as often as it has turns, and each time reads the names that it may say."""
    assert (await client.execute_run("invents", agent="model")).output[0].text == "I give up"
    told = (await model_server.seen("invents"))[-1]["body"]["messages"][-1]["content"]
    assert "files_read_v1" in told


async def test_a_tool_call_without_an_id_is_made(client: Client) -> None:
    """Some servers leave out the call's id and type, and end with `function_call`."""
    assert (await client.execute_run("bare_call", agent="model")).output[0].text == "2"


async def test_a_tool_that_fails_is_told_to_the_model_without_its_secrets(client: Client) -> None:
    """The model reads the error that callers may read, and goes on."""
    seen = await read(client, 'uses breaks {"text": "x"}')
    answer = seen[-2].step_finished.output[0].text
    assert "breaks raised RuntimeError" in answer
    assert "4711" not in answer


async def test_a_model_that_asks_for_tools_for_ever_is_stopped(client: Client) -> None:
    """After as many requests as `model.max_turns` says (here 5), the run fails and says so."""
    error = await failure(client, "never_ends")
    assert error.reason == "MODEL_TURNS_EXHAUSTED"
    seen = await read(client, "never_ends")
    assert len(of_kind(seen, "usage")) == 5
    assert from_status(seen[-1].run_finished.error).reason == "MODEL_TURNS_EXHAUSTED"
