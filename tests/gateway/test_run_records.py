"""Runs as they stand, lists of them, and the wish to end one: from the state layer alone."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from penstock.v1.gateway_pb2 import (
    CancelRunRequest,
    CreateRunRequest,
    GetRunRequest,
    ListRunsRequest,
    SignalRunRequest,
)
from penstock.v1.run_pb2 import (
    RUN_STATE_CANCELLED,
    RUN_STATE_QUEUED,
    RUN_STATE_RUNNING,
    RUN_STATE_SUCCEEDED,
    Content,
    Signal,
)
from penstock.wire import errors
from penstock.wire.ids import run_id_for
from penstock.wire.status import from_rpc_error
from tests.gateway.house import House, open_house
from tests.gateway.specs import spec_of


async def failure(call: Awaitable[Any]) -> errors.PenstockError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def test_a_run_is_told_with_what_it_was_given_and_what_it_made(house: House) -> None:
    """GetRun answers with input, plan and output while every layer but state is dead."""
    await house.recorder.record("run-1", labels={"team": "blue"})
    await house.recorder.finish("run-1", "forty-two")
    run = (await house.gateway.GetRun(GetRunRequest(run_id="run-1"))).run
    assert run.state == RUN_STATE_SUCCEEDED
    assert (run.input[0].text, run.output[0].text) == ("count", "forty-two")
    assert run.plan.steps[0].step_id == "main"
    assert dict(run.labels) == {"team": "blue"}


async def test_lists_page_through_all_runs_newest_first(house: House) -> None:
    """Following the tokens gives each run once; conditions narrow the list."""
    for number in range(7):
        await house.recorder.record(f"run-{number}", session_id="odd" if number == 5 else "")
    await house.recorder.finish("run-3")
    listed: list[str] = []
    token = ""
    for _ in range(20):
        page = await house.gateway.ListRuns(ListRunsRequest(page_size=3, page_token=token))
        listed += [run.run_id for run in page.runs]
        assert not any(run.input or run.HasField("plan") for run in page.runs)
        token = page.next_page_token
        if not token:
            break
    else:
        pytest.fail("the pages never end")
    assert listed == [f"run-{number}" for number in reversed(range(7))]
    finished = await house.gateway.ListRuns(ListRunsRequest(states=[RUN_STATE_SUCCEEDED]))
    assert [run.run_id for run in finished.runs] == ["run-3"]
    of_session = await house.gateway.ListRuns(ListRunsRequest(session_id="odd"))
    assert [run.run_id for run in of_session.runs] == ["run-5"]


async def test_all_that_is_wrong_with_a_list_is_told_at_once(house: House) -> None:
    """Page size, session, states and labels each have a violation of their own."""
    request = ListRunsRequest(page_size=1001, session_id="a b", states=[99], labels={"?": ""})  # type: ignore[list-item]  # a number that the enum does not have
    error = await failure(house.gateway.ListRuns(request))
    assert isinstance(error, errors.InvalidArgument)
    assert {v.field for v in error.violations} == {"page_size", "session_id", "states[0]", "labels['?']"}
    negative = await failure(house.gateway.ListRuns(ListRunsRequest(page_size=-1)))
    assert isinstance(negative, errors.InvalidArgument)


async def test_a_made_up_page_token_is_refused(house: House) -> None:
    """The violation names the token."""
    error = await failure(house.gateway.ListRuns(ListRunsRequest(page_token="nonsense")))
    assert isinstance(error, errors.InvalidArgument)
    assert [violation.field for violation in error.violations] == ["page_token"]


async def test_a_tenant_sees_its_own_runs_only(house: House) -> None:
    """Another tenant's run does not exist: not in lists, not by its id, and it is no hint either."""
    await house.recorder.record("run-secret-1", tenant="other")
    await house.recorder.record("run-own-1")
    assert [run.run_id for run in (await house.gateway.ListRuns(ListRunsRequest())).runs] == ["run-own-1"]
    for call in (
        house.gateway.GetRun(GetRunRequest(run_id="run-secret-1")),
        house.gateway.CancelRun(CancelRunRequest(run_id="run-secret-1")),
    ):
        error = await failure(call)
        assert isinstance(error, errors.NotFound)
        assert error.metadata.get("nearest") is None


async def test_a_queued_run_ends_when_it_is_cancelled(house: House) -> None:
    """The answer shows it cancelled; asking again changes nothing and answers the same."""
    await house.recorder.record("run-1", session_id="chat")
    await house.recorder.record("run-2", session_id="chat")
    assert (await house.gateway.GetRun(GetRunRequest(run_id="run-2"))).run.state == RUN_STATE_QUEUED
    cancelled = await house.gateway.CancelRun(CancelRunRequest(run_id="run-2", reason="changed my mind"))
    assert (cancelled.applied, cancelled.run.state) == (True, RUN_STATE_CANCELLED)
    again = await house.gateway.CancelRun(CancelRunRequest(run_id="run-2"))
    assert again.run.state == RUN_STATE_CANCELLED


async def test_cancelling_a_running_run_is_one_durable_wish_however_often_it_is_said(house: House) -> None:
    """The owner finds one signal, and the run goes on until it takes that in."""
    await house.recorder.record("run-1")
    for _ in range(3):
        answer = await house.gateway.CancelRun(CancelRunRequest(run_id="run-1"))
        assert (answer.applied, answer.run.state) == (True, RUN_STATE_RUNNING)
    waiting = await house.recorder.pending_signals("run-1")
    assert [signal.signal_id for signal in waiting] == ["cancel"]


async def test_cancelling_a_finished_run_changes_nothing(house: House) -> None:
    """`applied` tells that the run had ended before."""
    await house.recorder.record("run-1")
    await house.recorder.finish("run-1")
    answer = await house.gateway.CancelRun(CancelRunRequest(run_id="run-1"))
    assert (answer.applied, answer.run.state) == (False, RUN_STATE_SUCCEEDED)


async def test_a_long_reason_and_a_wrong_id_are_told_together(house: House) -> None:
    """CancelRun checks both fields before it asks anyone."""
    error = await failure(house.gateway.CancelRun(CancelRunRequest(run_id="", reason="x" * 1025)))
    assert isinstance(error, errors.InvalidArgument)
    assert [violation.field for violation in error.violations] == ["run_id", "reason"]


async def test_an_approval_and_input_are_kept_for_the_run_in_order(house: House) -> None:
    """Each once for its id, numbered; the run's owner finds them."""
    await house.recorder.record("run-1")
    approval = Signal(approval=Signal.Approval(step_id="gate", approved=True))
    given = Signal(input=Signal.Input(name="answer", content=[Content(json="[1]")]))
    for signal_id, signal, number in (("a", approval, 1), ("b", given, 2), ("a", approval, 1)):
        answer = await house.gateway.SignalRun(SignalRunRequest(run_id="run-1", signal_id=signal_id, signal=signal))
        assert (answer.signal_number, answer.applied) == (number, True)
    waiting = await house.recorder.pending_signals("run-1")
    assert [signal.signal for signal in waiting] == [approval, given]


async def test_a_signal_for_a_run_that_has_ended_or_is_not_there_changes_nothing(house: House) -> None:
    """`applied` tells of the end; what is not there, or another tenant's, is NOT_FOUND."""
    approval = Signal(approval=Signal.Approval(step_id="gate"))
    await house.recorder.record("run-1")
    await house.recorder.finish("run-1")
    late = await house.gateway.SignalRun(SignalRunRequest(run_id="run-1", signal_id="a", signal=approval))
    assert (late.signal_number, late.applied) == (0, False)
    await house.recorder.record("run-secret-1", tenant="other")
    for run_id in ("run-2", "run-secret-1"):
        error = await failure(house.gateway.SignalRun(SignalRunRequest(run_id=run_id, signal_id="a", signal=approval)))
        assert isinstance(error, errors.NotFound)


@pytest.mark.parametrize(
    ("signal", "field"),
    [
        (Signal(), "signal"),
        (Signal(cancel=Signal.Cancel()), "signal.cancel"),
        (Signal(approval=Signal.Approval(step_id="a b")), "signal.approval.step_id"),
        (Signal(approval=Signal.Approval(step_id="a", reason="x" * 1025)), "signal.approval.reason"),
        (Signal(input=Signal.Input(name="")), "signal.input.name"),
        (Signal(input=Signal.Input(name="n", content=[Content(text="x" * 2**18)])), "signal.input.content"),
        (Signal(input=Signal.Input(name="n", content=[Content(json="[" * 101)])), "signal.input.content[0].json"),
        (Signal(input=Signal.Input(name="n", content=[Content()])), "signal.input.content[0]"),
    ],
    ids=["no kind", "cancel", "step", "reason", "name", "size", "json", "empty part"],
)
async def test_what_is_wrong_with_a_signal_is_named(house: House, signal: Signal, field: str) -> None:
    """With the run's and the signal's id, all at once."""
    error = await failure(house.gateway.SignalRun(SignalRunRequest(run_id="a b", signal=signal)))
    assert isinstance(error, errors.InvalidArgument)
    assert [violation.field for violation in error.violations] == ["run_id", "signal_id", field]


async def test_an_unclear_start_names_the_run_that_may_be_there(house: House) -> None:
    """When the orchestrator is dead the caller gets UNAVAILABLE, advice when to come back, and the id to look for."""
    error = await failure(house.gateway.CreateRun(CreateRunRequest(spec=spec_of(idempotency_key="k"))))
    assert isinstance(error, errors.Unavailable)
    assert error.retry_after
    assert error.metadata["run_id"] == run_id_for("acme", "k")


async def test_without_the_state_layer_reads_are_unavailable(house: House) -> None:
    """The caller hears that waiting helps, and for how long."""
    await house.servers["state"].stop(None)
    error = await failure(house.gateway.GetRun(GetRunRequest(run_id="run-1")))
    assert isinstance(error, errors.Unavailable)
    assert error.retry_after


async def test_gateways_of_two_tenants_keep_their_runs_apart(tmp_path: Path) -> None:
    """The door says who asks; the same id is another run for another tenant."""
    async with open_house(tmp_path, tenant="blue") as blue:
        await blue.recorder.record("run-1", tenant="red")
        assert isinstance(await failure(blue.gateway.GetRun(GetRunRequest(run_id="run-1"))), errors.NotFound)
        await blue.recorder.record("run-1", tenant="blue")
        assert (await blue.gateway.GetRun(GetRunRequest(run_id="run-1"))).run.run_id == "run-1"
