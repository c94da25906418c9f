"""What a model says reaches the reader as it comes, and the session remembers it."""

import asyncio

import pytest

from penstock.client import Client, RunEvent, RunState, Transcript
from penstock.v1 import run_event_pb2 as events
from tests.models.conftest import INSTRUCTIONS, KEY
from tests.models.model_mesh import MODEL
from tests.models.model_process import ModelProcess
from tests.models.reading import of_kind, read


async def test_an_answer_comes_token_by_token_with_its_usage_and_the_end_of_its_turn(client: Client) -> None:
    """Every piece is a token event, the first one too; usage, turn and output follow; and the run has the sums."""
    seen = await read(client, "normal")
    assert [event.token.text for event in of_kind(seen, "token")] == ["Hello", " from", " the", " model"]
    usage = of_kind(seen, "usage")[0].usage
    assert (usage.input_tokens, usage.output_tokens, usage.model_requests) == (12, 7, 1)
    assert (usage.cached_input_tokens, usage.reasoning_tokens) == (4, 3)
    assert [event.WhichOneof("event") for event in seen[-4:]] == [
        "usage",
        "turn_finished",
        "step_finished",
        "run_finished",
    ]
    run = await client.execute_run("normal", agent="model")
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert run.output[0].text == "Hello from the model"
    assert run.usage.output_tokens == 7


@pytest.mark.parametrize("word", ["stop", "eos_token", "STOP"])
async def test_an_answer_may_end_in_any_word_for_its_end(client: Client, word: str) -> None:
    """Servers that say in words of their own that the answer is whole are believed."""
    run = await client.execute_run(f"ends_with {word}", agent="model")
    assert run.output[0].text == "half or whole"


async def test_an_answer_that_is_whole_does_not_wait_for_the_end_of_its_transfer(client: Client) -> None:
    """After `[DONE]` a server that leaves its transfer open holds up nobody."""
    async with asyncio.timeout(30):
        assert (await client.execute_run("lingers", agent="model")).output[0].text == "done"


async def test_reasoning_is_told_apart_from_the_answer(client: Client) -> None:
    """Text in `reasoning_content` becomes reasoning events, and no part of the output."""
    seen = await read(client, "thinks")
    assert "".join(event.token.reasoning for event in of_kind(seen, "token")) == "let me see"
    assert Transcript().consume_all(seen).text == "42"


async def test_characters_that_come_in_parts_arrive_whole(client: Client) -> None:
    """A server that sends each byte by itself splits characters; the reader sees them whole."""
    seen = await read(client, "split")
    assert Transcript().consume_all(seen).text == "Größe 🦉 水"


async def test_a_slow_answer_is_seen_while_it_is_written(client: Client, model_server: ModelProcess) -> None:
    """The first token is in the reader's hands before the model server has written the second."""
    seen: list[RunEvent] = []
    async with asyncio.timeout(30):
        async for event in client.stream_run("waits", agent="model"):
            seen.append(event)
            if event.HasField("token") and event.token.text == "first ":
                await model_server.release((await model_server.seen("waits"))[-1]["number"])
    assert Transcript().consume_all(seen).text == "first second"


async def test_the_model_is_asked_as_the_settings_say(client: Client, model_server: ModelProcess) -> None:
    """Name, instructions and temperature are those configured; the key comes from the environment."""
    await read(client, "normal")
    asked = (await model_server.seen("normal"))[-1]
    assert asked["body"]["model"] == MODEL
    assert asked["body"]["temperature"] == 0.5
    assert asked["body"]["messages"] == [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": "normal"},
    ]
    assert asked["headers"]["authorization"] == f"Bearer {KEY}"


async def test_the_model_sees_what_was_said_in_the_session_before(client: Client, model_server: ModelProcess) -> None:
    """Earlier questions and answers of a session come before the new question, in order."""
    await client.execute_run("normal one", agent="model", session="talk")
    await client.execute_run("thinks two", agent="model", session="talk")
    await client.execute_run("normal three", agent="model", session="talk")
    asked = (await model_server.seen("normal"))[-1]
    assert [(said["role"], said["content"]) for said in asked["body"]["messages"][1:]] == [
        ("user", "normal one"),
        ("assistant", "Hello from the model"),
        ("user", "thinks two"),
        ("assistant", "42"),
        ("user", "normal three"),
    ]


async def test_a_question_that_got_no_answer_does_not_wait_for_one(client: Client, model_server: ModelProcess) -> None:
    """After a failed run the model reads why there was no answer, so that it does not answer that question, too."""
    await client.execute_run("breaks down", agent="model", session="broken-talk")
    await client.execute_run("normal again", agent="model", session="broken-talk")
    asked = (await model_server.seen("normal"))[-1]
    said = [(one["role"], one["content"]) for one in asked["body"]["messages"][1:]]
    assert said[0] == ("user", "breaks down")
    assert said[1] == ("assistant", "(no answer: the model server failed (500))")
    assert said[2] == ("user", "normal again")


async def test_the_agent_is_listed_with_the_model_it_is(client: Client) -> None:
    """Who lists the agents finds `model`, and which model that is."""
    agents = {agent.name: agent.description for agent in await client.list_agents()}
    assert MODEL in agents["model"]


async def test_turns_end_before_the_next_begins(client: Client) -> None:
    """Each response of the model closes its turn, so that readers can tell the turns apart."""
    seen = await read(client, "adds")
    kinds = [event.WhichOneof("event") for event in seen]
    assert [event.turn_finished.turn for event in of_kind(seen, "turn_finished")] == [1, 2]
    assert kinds.index("turn_finished") < kinds.index("tool_call") < kinds.index("tool_result")
    assert of_kind(seen, "tool_result")[0].tool_result.outcome == events.TOOL_OUTCOME_SUCCEEDED
