"""The commands that ask how things stand, against a real mesh."""

import json

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def finished(penstock: Run) -> str:
    """A run that used a tool and has ended."""
    events = penstock("run", "hello", "--agent", "rich", "--session", "asking", "--label", "color=red", "--json")
    return str(events.stderr.split()[0])


def test_a_run_can_be_looked_at_with_its_answer(penstock: Run, finished: str) -> None:
    """As a sheet for people, and as one JSON object for programs; neither drives the terminal."""
    sheet = penstock("get", finished).stdout
    run = json.loads(penstock("get", finished, "--json").stdout)
    assert f"\ntrace    {run['trace_id']}\n" in sheet
    for told in (finished, "SUCCEEDED", "main (rich)", "asking", "color=red", "1 model request, 10 tokens in, 2 out"):
        assert told in sheet
    assert sheet.endswith("\n\n\\x1b[31m5 characters\n")
    assert (run["run_id"], run["output"][0]["text"]) == (finished, "\x1b[31m5 characters")


def test_runs_are_listed_newest_first_by_session_and_state(penstock: Run, finished: str) -> None:
    """A table for people, a line of JSON each for programs."""
    newer = penstock("run", "3", "--agent", "count", "--session", "asking", "--json").stderr.split()[0]
    listed = penstock("runs", "--session", "asking", "--json").stdout.splitlines()
    assert [json.loads(line)["run_id"] for line in listed][:2] == [newer, finished]
    table = penstock("runs", "--session", "asking", "--state", "succeeded", "--limit", "1").stdout.splitlines()
    assert table[0].split() == ["RUN", "STATE", "CREATED", "TOOK", "EVENTS", "SESSION"]
    assert len(table) == 2
    assert newer in table[1]
    assert penstock("runs", "--session", "asking", "--state", "failed").stdout == "no runs\n"


def test_cancelling_says_what_stands_now(penstock: Run, finished: str) -> None:
    """A run that has ended stays as it is."""
    assert penstock("cancel", finished).stdout == f"{finished} is SUCCEEDED\n"
    going = penstock("run", "x", "--agent", "stuck", "--detach").stdout.strip()
    assert going in penstock("cancel", going, "--reason", "no need").stdout
    ended = penstock("attach", going)
    assert ended.exit_code == 1
    assert "being cancelled: no need" in ended.stderr


def test_the_mesh_tells_its_layers_agents_and_tools(penstock: Run) -> None:
    """For people and for programs."""
    status = penstock("status")
    assert status.exit_code == 0
    assert [line.split()[:2] for line in status.stdout.splitlines()[2:7]] == [
        [layer, "serving"] for layer in ("gateway", "orchestrator", "executor", "tools", "state")
    ]
    assert len(json.loads(penstock("status", "--json").stdout)["layers"]) == 5
    assert "Counts to the number that its task is." in penstock("agents").stdout
    assert json.loads(penstock("tools", "--json").stdout)["name"] == "measure"


def test_the_way_of_a_run_tells_layers_steps_tool_calls_events_and_durations(penstock: Run, finished: str) -> None:
    """From the log, so also long after; the layers are told as they are now."""
    text = penstock("way", finished).stdout
    lines = [line.split() for line in text.splitlines()]
    assert "\nLayers now, " in text
    assert f"Run {finished} SUCCEEDED in " in text
    assert [line[0] for line in lines if "in-process" in line] == [
        "gateway", "orchestrator", "executor", "tools", "state",
    ]  # fmt: skip
    assert next(line for line in lines if line[:2] == ["main", "rich"])[2:4] == ["1", "succeeded"]
    assert next(line for line in lines if line[:2] == ["main", "measure"])[2] == "succeeded"
    for kind in ("1 tool_call", "1 tool_result", "1 token", "1 custom", "1 usage", "1 run_finished"):
        assert kind in text
    assert "1 model request, 10 tokens in, 2 out" in text


def test_the_way_of_a_run_that_still_goes_is_told_as_far_as_it_went(penstock: Run) -> None:
    """It does not wait for the end."""
    going = penstock("run", "x", "--agent", "stuck", "--detach").stdout.strip()
    text = penstock("way", going).stdout
    assert f"Run {going} RUNNING" in text
    penstock("cancel", going)


def test_the_way_of_a_run_that_failed_tells_the_error_its_reason_and_its_request(penstock: Run) -> None:
    """Whole, and once."""
    failed = penstock("run", "x", "--agent", "broken", "--detach").stdout.strip()
    penstock("attach", failed)
    error = json.loads(penstock("get", failed, "--json").stdout)["error"]
    text = penstock("way", failed).stdout
    request_id = error["details"][0]["metadata"]["request_id"]
    assert error["message"].endswith(request_id)
    for shown in (text, penstock("get", failed).stdout):
        assert shown.count(error["message"]) == 1
        assert shown.count(request_id) == 1
    assert "  reason   AGENT_FAILED" in text


def test_the_way_of_a_run_is_one_json_object_for_programs(penstock: Run, finished: str) -> None:
    """The run, and its log as `attach` prints it."""
    way = json.loads(penstock("way", finished, "--json").stdout)
    assert way["run"] == json.loads(penstock("get", finished, "--json").stdout)
    log = penstock("attach", finished, "--json").stdout.splitlines()
    assert way["events"] == [json.loads(event) for event in log]


def test_runs_of_no_session_leave_a_narrow_screens_room_to_their_figures(penstock: Run) -> None:
    """No column stands empty."""
    run_id = penstock("run", "3", "--agent", "count", "--detach").stdout.strip()
    penstock("attach", run_id)
    listed = penstock("runs", "--limit", "1", COLUMNS="80").stdout.splitlines()
    assert listed[0].split() == ["RUN", "STATE", "CREATED", "TOOK", "EVENTS"]
    assert max(map(len, listed)) <= 80
    assert listed[1].split()[0] == run_id
    assert listed[1].split()[-1] == "7"


def test_runs_on_a_narrow_screen_keep_whole_ids_and_sessions(penstock: Run) -> None:
    """The numbers make room."""
    run_id = penstock("run", "3", "--agent", "count", "--session", "tuesday-morning", "--detach").stdout.strip()
    listed = penstock("runs", "--session", "tuesday-morning", COLUMNS="80").stdout.splitlines()
    assert max(map(len, listed)) <= 80
    assert listed[1].startswith(f"{run_id} ")
    assert listed[1].endswith(" tuesday-morning")
