"""Making runs through the gateway: one way to make them, three ways to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

import grpc.aio
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

from penstock.v1.gateway_pb2 import (
    AttachRunRequest,
    CancelRunRequest,
    CreateRunRequest,
    ExecuteRunRequest,
    GetRunRequest,
    ListRunsRequest,
    StreamRunRequest,
)
from penstock.v1.plan_pb2 import AgentStep, Plan, Step, ToolStep
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_pb2 import (
    DURABILITY_REPLICA,
    ON_BUSY_REJECT,
    RUN_STATE_CANCELLED,
    RUN_STATE_FAILED,
    RUN_STATE_RUNNING,
    RUN_STATE_SUCCEEDED,
    Content,
    RunSpec,
)
from penstock.wire import errors
from penstock.wire.ids import run_id_for
from penstock.wire.status import from_rpc_error
from tests.gateway.house import House
from tests.gateway.out_of_time import out_of_time
from tests.gateway.specs import spec_of


def task(text: str, agent: str = "shout", **fields: object) -> RunSpec:
    return spec_of(agent=agent, input=[Content(text=text)], **fields)


def transcript(events: Iterable[RunEvent]) -> str:
    return "".join(event.token.text for event in events)


async def attach(house: House, run_id: str) -> list[RunEvent]:
    """Reads a run to its end."""
    async with asyncio.timeout(5):
        return [e async for m in house.gateway.AttachRun(AttachRunRequest(run_id=run_id)) for e in m.events]


async def failure(call: Awaitable[Any]) -> errors.PenstockError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def test_a_streamed_run_shows_itself_and_then_everything_that_happens(full_house: House) -> None:
    """StreamRun begins with the run and ends after run_finished, with every number from 1 on."""
    call = full_house.gateway.StreamRun(StreamRunRequest(spec=task("hello there")), timeout=5)
    messages = [message async for message in call]
    assert messages[0].run.run_id.startswith("run-")
    assert not messages[0].events
    events = [event for message in messages for event in message.events]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].run_finished.state == RUN_STATE_SUCCEEDED
    assert transcript(events) == "HELLO THERE "
    assert all(message.generation for message in messages)


async def test_a_created_run_goes_on_in_the_background(full_house: House) -> None:
    """CreateRun answers at once; whoever attaches later sees all of it."""
    created = await full_house.gateway.CreateRun(CreateRunRequest(spec=task("one two three")))
    assert created.created
    assert transcript(await attach(full_house, created.run.run_id)) == "ONE TWO THREE "


async def test_an_executed_run_is_answered_with_its_output(full_house: House) -> None:
    """ExecuteRun answers with the run in its last state."""
    run = (await full_house.gateway.ExecuteRun(ExecuteRunRequest(spec=task("quick")), timeout=5)).run
    assert run.state == RUN_STATE_SUCCEEDED
    assert run.output[0].text == "QUICK "
    assert run.input[0].text == "quick"


async def test_a_failing_agent_is_an_ok_answer_with_a_failed_run(full_house: House) -> None:
    """The status speaks of the call; the agent's own words stay in the log of the server."""
    run = (await full_house.gateway.ExecuteRun(ExecuteRunRequest(spec=task("go", "broken")), timeout=5)).run
    assert run.state == RUN_STATE_FAILED
    assert "secret" not in str(run)


async def test_steps_see_what_came_before_them(full_house: House) -> None:
    """A plan of a tool and an agent runs in order, and references carry the results along."""
    plan = Plan(
        sequential=True,
        steps=[
            Step(step_id="n", tool=ToolStep(tool="count_words", arguments=ParseDict({"text": "${input}"}, Value()))),
            Step(step_id="say", agent=AgentStep(agent="shout", task="${steps.n.output} words in ${input}")),
        ],
    )
    spec = spec_of(plan=plan, input=[Content(text="a b c")])
    run = (await full_house.gateway.ExecuteRun(ExecuteRunRequest(spec=spec), timeout=5)).run
    assert run.state == RUN_STATE_SUCCEEDED, run
    assert run.output[0].text == "3 WORDS IN A B C "


async def test_the_same_key_gives_the_same_run_however_it_is_asked_for(full_house: House) -> None:
    """Create, stream and execute with one key are one run, whose name follows from tenant and key."""
    spec = task("once only", idempotency_key="order-7")
    first = await full_house.gateway.CreateRun(CreateRunRequest(spec=spec))
    second = await full_house.gateway.CreateRun(CreateRunRequest(spec=spec))
    assert (first.created, second.created) == (True, False)
    assert first.run.run_id == second.run.run_id == run_id_for("acme", "order-7")
    executed = await full_house.gateway.ExecuteRun(ExecuteRunRequest(spec=spec), timeout=5)
    assert executed.run.run_id == first.run.run_id
    streamed = [m async for m in full_house.gateway.StreamRun(StreamRunRequest(spec=spec), timeout=5)]
    assert transcript(event for message in streamed for event in message.events) == "ONCE ONLY "


async def test_the_same_key_with_another_body_is_refused_with_the_run_that_has_it(full_house: House) -> None:
    """ALREADY_EXISTS names the run."""
    await full_house.gateway.CreateRun(CreateRunRequest(spec=task("this", idempotency_key="k")))
    error = await failure(full_house.gateway.CreateRun(CreateRunRequest(spec=task("that", idempotency_key="k"))))
    assert isinstance(error, errors.AlreadyExists)
    assert error.metadata["run_id"] == run_id_for("acme", "k")


async def test_an_unknown_agent_is_told_with_those_that_look_like_it(full_house: House) -> None:
    """NOT_FOUND names what was asked for and what was probably meant."""
    error = await failure(full_house.gateway.CreateRun(CreateRunRequest(spec=task("hi", "shuot"))))
    assert isinstance(error, errors.NotFound)
    assert "'shuot'" in error.message
    assert "'shout'" in error.message
    assert "run_id" not in error.metadata, "nothing was recorded"


async def test_waiting_too_long_leaves_the_run_alone_and_names_it(full_house: House) -> None:
    """ExecuteRun's deadline bounds the waiting only; the answer arrives with the id, by which the run can be ended."""
    request = ExecuteRunRequest(spec=task("wait", "endless"))
    error = await out_of_time(lambda: failure(full_house.gateway.ExecuteRun(request, timeout=1.2)))
    assert isinstance(error, errors.DeadlineExceeded)
    run_id = error.metadata["run_id"]
    assert (await full_house.gateway.GetRun(GetRunRequest(run_id=run_id))).run.state == RUN_STATE_RUNNING
    assert (await full_house.gateway.CancelRun(CancelRunRequest(run_id=run_id, reason="enough"))).applied
    assert (await attach(full_house, run_id))[-1].run_finished.state == RUN_STATE_CANCELLED


async def test_a_caller_who_hangs_up_does_not_cancel_the_run(full_house: House) -> None:
    """A dropped stream leaves its run going, for others to read."""
    call = full_house.gateway.StreamRun(StreamRunRequest(spec=task("wait", "endless")))
    run_id = ""
    async with asyncio.timeout(5):
        async for message in call:
            run_id = run_id or message.run.run_id
            if any(event.HasField("token") for event in message.events):
                break
    call.cancel()
    run = (await full_house.gateway.GetRun(GetRunRequest(run_id=run_id))).run
    assert run.state == RUN_STATE_RUNNING
    await full_house.gateway.CancelRun(CancelRunRequest(run_id=run.run_id))
    assert (await attach(full_house, run.run_id))[-1].HasField("run_finished")


async def test_a_second_run_on_a_busy_session_can_be_refused(full_house: House) -> None:
    """With REJECT the second run is FAILED_PRECONDITION with reason SESSION_BUSY."""
    busy = await full_house.gateway.CreateRun(CreateRunRequest(spec=task("w", "endless", session_id="chat")))
    spec = task("me too", session_id="chat", on_busy=ON_BUSY_REJECT)
    error = await failure(full_house.gateway.CreateRun(CreateRunRequest(spec=spec)))
    assert isinstance(error, errors.FailedPrecondition)
    assert error.reason == "SESSION_BUSY"
    await full_house.gateway.CancelRun(CancelRunRequest(run_id=busy.run.run_id))


async def test_bad_specs_are_refused_alike_by_all_three(full_house: House) -> None:
    """Create, stream and execute share their rules: the same violations, and nothing is recorded."""
    spec = RunSpec(agent="!")
    found = []
    for call in (
        full_house.gateway.CreateRun(CreateRunRequest(spec=spec)),
        full_house.gateway.ExecuteRun(ExecuteRunRequest(spec=spec)),
        anext(aiter(full_house.gateway.StreamRun(StreamRunRequest(spec=spec)))),
    ):
        error = await failure(call)
        assert isinstance(error, errors.InvalidArgument)
        assert "run_id" not in error.metadata
        found.append([violation.field for violation in error.violations])
    assert found == [["spec.agent", "spec.input"]] * 3


async def test_a_finished_run_is_replayed_when_all_but_the_state_layer_is_dead(full_house: House) -> None:
    """Readers read the log: orchestrator, executor and tools may be gone."""
    run = (await full_house.gateway.ExecuteRun(ExecuteRunRequest(spec=task("last words")), timeout=5)).run
    for layer in ("orchestrator", "executor", "tools"):
        await full_house.servers[layer].stop(None)
    assert transcript(await attach(full_house, run.run_id)) == "LAST WORDS "
    error = await failure(full_house.gateway.CreateRun(CreateRunRequest(spec=task("more"))))
    assert isinstance(error, errors.Unavailable)


async def test_a_durability_that_the_store_can_not_keep_is_refused_with_what_it_keeps(full_house: House) -> None:
    """Before anything is recorded: what a caller would rely on must not be promised."""
    spec = task("hello", idempotency_key="k", durability=DURABILITY_REPLICA)
    error = await failure(full_house.gateway.CreateRun(CreateRunRequest(spec=spec)))
    assert isinstance(error, errors.FailedPrecondition)
    assert (error.reason, error.metadata["supported"]) == ("DURABILITY_UNSUPPORTED", "DURABILITY_PROCESS")
    assert (await full_house.gateway.ListRuns(ListRunsRequest())).runs == []
