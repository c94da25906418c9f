"""`penstock events`: what is published is followed, and what is asked is answered."""

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from penstock.client import Client
from penstock.wire.errors import DeadlineExceeded
from tests.cli.conftest import OnTerminal, Run, Start


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses."""
    return f"topic-{uuid4().hex}"


def followed(penstock: Run, topic: str, count: int, *more: str) -> list[dict[str, object]]:
    """Returns the oldest events of a topic, as JSON."""
    result = penstock("events", "follow", topic, "--from-beginning", "--limit", str(count), "--json", *more)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.split("\n") if line]


def test_what_is_published_is_followed(penstock: Run, topic: str) -> None:
    """Positions in order, payloads as they were typed, with type, name and notes."""
    published = penstock(
        "events", "publish", topic, '{"n": 12345678901234567890123}', "[1.0]", "--type", "thing.made", "--meta", "k=v"
    )
    assert [line.split()[0] for line in published.stdout.splitlines()] == ["#1", "#2"]
    names = [line.split()[1] for line in published.stdout.splitlines()]
    found = followed(penstock, topic, 2)
    assert [delivered["position"] for delivered in found] == ["1", "2"]
    assert [delivered["event"]["event_id"] for delivered in found] == names  # type: ignore[index] # parsed JSON
    assert found[0]["event"]["payload_json"] == '{"n": 12345678901234567890123}'  # type: ignore[index] # parsed JSON
    assert found[1]["event"]["metadata"] == {"k": "v"}  # type: ignore[index] # parsed JSON


def test_a_file_s_lines_are_events(penstock: Run, topic: str, tmp_path: Path) -> None:
    """More than one call can take; empty lines apart, and from stdin as well."""
    file = tmp_path / "events.jsonl"
    file.write_text("".join(f"{n}\n\n" for n in range(2500)))
    assert len(penstock("events", "publish", topic, "--file", str(file)).stdout.splitlines()) == 2500
    assert penstock("events", "publish", topic, "--file", "-", stdin="1\n2\n").stdout.split()[::2] == ["#2501", "#2502"]


def test_only_a_newline_ends_an_event(penstock: Run, topic: str, tmp_path: Path) -> None:
    """JSON's texts may hold other characters that end lines elsewhere."""
    file = tmp_path / "events.jsonl"
    file.write_bytes('{"a": "x\u2028y\u0085z"}\r\n"second"\n'.encode())
    assert len(penstock("events", "publish", topic, "--file", str(file)).stdout.splitlines()) == 2
    (first, second) = followed(penstock, topic, 2)
    assert first["event"]["payload_json"] == '{"a": "x\u2028y\u0085z"}'  # type: ignore[index] # parsed JSON
    assert second["event"]["payload_json"] == '"second"'  # type: ignore[index] # parsed JSON


def test_an_id_makes_publishing_safe_to_repeat(penstock: Run, topic: str) -> None:
    """The second time the position is that of the first."""
    for _ in range(2):
        result = penstock("events", "publish", topic, "1", "--id", "once", "--json")
        assert json.loads(result.stdout) == {"topic": topic, "position": "1", "event_id": "once"}


def test_a_member_takes_events_and_an_onlooker_does_not(penstock: Run, topic: str) -> None:
    """With --group an event is done with once it is printed, and no more is taken than was asked for."""
    penstock("events", "publish", topic, "1", "2", "3")
    assert [one["position"] for one in followed(penstock, topic, 2, "--group", "g")] == ["1", "2"]
    assert [one["position"] for one in followed(penstock, topic, 3)] == ["1", "2", "3"]
    (third,) = followed(penstock, topic, 1, "--group", "g")
    assert third["position"] == "3"


def test_an_event_is_one_line_for_people(penstock: Run, topic: str) -> None:
    """Position, time, type and payload; control characters are made visible."""
    penstock("events", "publish", topic, '{"a": "\\u001b[31m", "b": "Ü"}', "--type", "thing.made")
    shown = penstock("events", "follow", topic, "--from-beginning", "--limit", "1").stdout
    assert shown.startswith("#1  ")
    assert shown.endswith('  thing.made  {"a": "\\u001b[31m", "b": "Ü"}\n')


def test_following_goes_on_until_ctrl_c(penstock: Run, started: Start, topic: str) -> None:
    """Each event is printed as it comes; the end is 130, and says nothing."""
    following = started("events", "follow", topic, "--from-beginning")
    assert following.stdout is not None
    for payload in ('"first"', '"second"'):
        penstock("events", "publish", topic, payload)
        assert following.stdout.readline().rstrip().endswith(payload)
    following.send_signal(signal.SIGINT)
    assert following.wait() == 130
    assert following.stderr is not None
    assert following.stderr.read() == ""


def test_a_person_is_told_what_is_followed(on_terminal: OnTerminal, topic: str) -> None:
    """On a terminal a line says what it waits for and how it ends."""
    shown = on_terminal("events", "follow", topic)
    shown.expect(f"following {topic}; Ctrl-C ends")
    shown.type("\x03")
    assert shown.finish() == 130


@pytest.fixture
def answered(address: str, topic: str) -> Iterator[str]:
    """A topic on which somebody answers with twice what was asked."""
    import asyncio

    ready, done = threading.Event(), threading.Event()

    async def answer() -> None:
        async with Client(address) as client, client.subscribe(topic, group="g") as requests:
            ready.set()
            async with asyncio.TaskGroup() as group:

                async def serve() -> None:
                    async for request in requests:
                        await request.reply(request.payload * 2)

                serving = group.create_task(serve())
                await asyncio.to_thread(done.wait)
                serving.cancel()

    thread = threading.Thread(target=asyncio.run, args=(answer(),))
    thread.start()
    assert ready.wait(10)
    yield topic
    done.set()
    thread.join()


def test_a_request_prints_the_reply(started: Start, answered: str) -> None:
    """Its payload alone, for pipes."""
    asking = started("events", "request", answered, "21", "--timeout", "15s")
    said, complained = asking.communicate()
    assert (said, complained, asking.returncode) == ("42\n", "", 0)


def test_a_request_that_nobody_answers_says_what_to_look_at(penstock: Run, topic: str) -> None:
    """Code 3, the reason, and the command that shows what is asked there."""
    result = penstock("events", "request", topic, "1", "--timeout", "200ms")
    assert result.exit_code == 3
    assert "NO_REPLY" in result.stderr
    assert f"penstock events follow {topic}" in result.stderr
    assert DeadlineExceeded.__name__ not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("publish", "t"), "say what happened"),
        (("publish", "t", "hello"), "a text needs quotes"),
        (("publish", "t", "{"), "is not JSON"),
        (("publish", "t", "1", "2", "--id", "x"), "is the name of one event"),
        (("publish", "t", "1", "--meta", "k"), "not of the form K=V"),
        (("publish", "t", "--file", "/nowhere/at/all"), "can't be read"),
        (("request", "t", "1", "--timeout", "soon"), "is no duration"),
    ],
)
def test_wrong_usage_says_what_is_right(penstock: Run, arguments: tuple[str, ...], said: str) -> None:
    """Code 2, before anything is sent."""
    result = penstock("events", *arguments, COLUMNS="200")
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("publish", "no topic", "1"), "INVALID_ARGUMENT"),
        (("publish", "penstock.runs", "1"), "RESERVED_TOPIC"),
        (("publish", "reply.nobody", "1"), "REPLY_ADDRESS_GONE"),
        (("follow", "t", "--group", "a b"), "INVALID_ARGUMENT"),
    ],
)
def test_what_the_mesh_refuses_is_told(penstock: Run, arguments: tuple[str, ...], reason: str) -> None:
    """Code 3, with the reason and the request."""
    result = penstock("events", *arguments)
    assert result.exit_code == 3
    assert reason in result.stderr
    assert "request" in result.stderr
