"""Finding and reading runs."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from penstock.v1 import run_log_pb2 as pb
from penstock.v1.run_pb2 import RunState
from penstock.wire.errors import InvalidArgument
from tests.state import entries as e
from tests.state.house import House, error_of


async def find(house: House, **conditions: object) -> list[str]:
    """The ids of all runs found, over all pages."""
    found: list[str] = []
    token = ""
    while True:
        request = pb.FindRunsRequest(tenant=e.TENANT, page_token=token, **conditions)  # type: ignore[arg-type] # passed through
        page = await house.log.FindRuns(request)
        found.extend(run.run_id for run in page.runs)
        token = page.next_page_token
        if not token:
            return found


@pytest.fixture
async def runs(house: House) -> list[str]:
    """Ten runs of three sessions, the newest first; the even ones have ended, all of another tenant are apart."""
    await e.lease(house)
    for number in range(10):
        labels = {"parity": "odd" if number % 2 else "even", "n": str(number)}
        await e.record(house, e.record_entry(f"run-{number}", session=f"s{number % 3}", labels=labels))
    for number in (0, 2):
        await e.append_as_owner(house, f"run-{number}", e.run_finished(RunState.RUN_STATE_FAILED))
    await e.record(house, e.record_entry("run-x", tenant="other"))
    return [f"run-{number}" for number in reversed(range(10))]


async def test_runs_are_found_newest_first_page_by_page(house: House, runs: list[str]) -> None:
    """Every run exactly once, whatever the size of the pages."""
    for page_size in (1, 3, 10, 1000):
        assert await find(house, page_size=page_size) == runs


async def test_times_that_no_calendar_has_are_invalid(house: House) -> None:
    """Both bounds are named."""
    absurd = Timestamp(seconds=2**62)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await find(house, created_after_time=absurd, created_before_time=absurd)
    error = error_of(raised.value)
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == ["created_after_time", "created_before_time"]


async def test_all_conditions_must_hold(house: House, runs: list[str]) -> None:
    """Session, states, labels and times, alone and together."""
    assert await find(house, session_id="s1") == ["run-7", "run-4", "run-1"]
    assert await find(house, states=[RunState.RUN_STATE_FAILED]) == ["run-2", "run-0"]
    assert await find(house, states=[RunState.RUN_STATE_RUNNING]) == ["run-1"]
    assert await find(house, states=[RunState.RUN_STATE_UNSPECIFIED]) == runs
    assert await find(house, labels={"parity": "even", "n": "4"}) == ["run-4"]
    assert await find(house, labels={"parity": "even"}, session_id="s0", page_size=1) == ["run-6", "run-0"]
    created = (await e.run_record(house, "run-5")).run.create_time
    assert await find(house, created_after_time=created) == runs[:5]
    assert await find(house, created_before_time=created) == runs[5:]
    assert await find(house, created_after_time=Timestamp(seconds=1 << 33)) == []


async def test_lists_leave_out_what_is_big(house: House, runs: list[str]) -> None:
    """No plan, input and output; labels, times and numbers are there."""
    page = await house.log.FindRuns(pb.FindRunsRequest(tenant=e.TENANT, page_size=1))
    run = page.runs[0]
    assert not run.input
    assert not run.HasField("plan")
    assert (run.run_id, run.labels["parity"], run.session_id) == ("run-9", "odd", "s0")
    assert run.HasField("create_time")


async def test_a_page_token_is_good_for_its_conditions_alone(house: House, runs: list[str]) -> None:
    """Damaged or with other conditions: INVALID_ARGUMENT."""
    token = (await house.log.FindRuns(pb.FindRunsRequest(tenant=e.TENANT, page_size=2))).next_page_token
    for request in (
        pb.FindRunsRequest(tenant=e.TENANT, page_token="x" + token),
        pb.FindRunsRequest(tenant=e.TENANT, page_token=token, session_id="s0"),
        pb.FindRunsRequest(tenant="other", page_token=token),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await house.log.FindRuns(request)
        assert isinstance(error_of(raised.value), InvalidArgument)


async def test_records_come_in_order_and_those_without_room_are_named(house: House) -> None:
    """Unknown runs are left out; at 1 MiB the rest is named, to be asked for again."""
    await e.lease(house)
    for number in range(4):
        await e.record(house, e.record_entry(f"run-{number}", text="x" * 400_000))
    names = [pb.RunName(tenant=e.TENANT, run_id=f"run-{number}") for number in (3, 9, 1, 0, 2)]
    response = await house.log.ReadRuns(pb.ReadRunsRequest(runs=names))
    assert [record.run.run_id for record in response.records] == ["run-3", "run-1"]
    assert list(response.left_out) == names[3:]
