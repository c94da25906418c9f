"""What is wrong with a request is said by its field, before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from penstock.state.page_token import make_token
from penstock.v1 import run_log_pb2 as pb
from penstock.v1.ownership_pb2 import ClaimRunsRequest, RenewLeaseRequest, SendSignalRequest
from penstock.v1.run_pb2 import Content, Signal
from penstock.v1.session_pb2 import AppendMessagesRequest, ReadMessagesRequest, SessionMessage, UpdateSessionRequest
from penstock.v1.state_pb2 import DeleteValueRequest, Expiry, GetValueRequest, ListValuesRequest, SetValueRequest
from penstock.wire.errors import InvalidArgument
from penstock.wire.status import from_status
from tests.state import entries as e
from tests.state.house import House, error_of
from tests.state.tail_reader import reading

T = e.TENANT
DEEP = "[" * 101 + "]" * 101
DEEPEST = "[" * 100 + "]" * 100

VALUES: dict[str, tuple[Any, str]] = {
    "a value beyond 1 MiB": (SetValueRequest(tenant=T, key="k", data=b"x" * (2**20 + 1)), "data"),
    "a key beyond 1 KiB": (GetValueRequest(tenant=T, key="k" * 1025), "key"),
    "a prefix beyond 1 KiB": (ListValuesRequest(tenant=T, prefix="é" * 513), "prefix"),
    "a negative time to live": (
        SetValueRequest(tenant=T, key="k", expiry=Expiry(ttl=Duration(seconds=-1))),
        "expiry.ttl",
    ),
    "a time to live of eleven years": (
        SetValueRequest(tenant=T, key="k", expiry=Expiry(ttl=Duration(seconds=11 * 366 * 86400))),
        "expiry.ttl",
    ),
    "a negative version": (DeleteValueRequest(tenant=T, key="k", version=-1), "version"),
    "a negative page size": (ListValuesRequest(tenant=T, page_size=-1), "page_size"),
    "a made-up page token": (ListValuesRequest(tenant=T, page_token="AAAA"), "page_token"),
    "a page token that is no base64": (ListValuesRequest(tenant=T, page_token="ä"), "page_token"),
}

SESSIONS: dict[str, tuple[Any, str]] = {
    "free data beyond 1 MiB": (
        UpdateSessionRequest(tenant=T, session_id="s", data_json='"' + "x" * 2**20),
        "data_json",
    ),
    "free data too deep": (UpdateSessionRequest(tenant=T, session_id="s", data_json=DEEP), "data_json"),
    "an object too deep": (
        UpdateSessionRequest(tenant=T, session_id="s", data_json='{"a":' * 101 + "1" + "}" * 101),
        "data_json",
    ),
    "deep brackets behind a quote": (
        UpdateSessionRequest(tenant=T, session_id="s", data_json='["\\"", ' + "[" * 100_000),
        "data_json",
    ),
    "a content too deep": (
        AppendMessagesRequest(
            tenant=T, session_id="s", messages=[SessionMessage(message_id="m", content=[Content(json=DEEP)])]
        ),
        "messages[0].content[0].json",
    ),
    "an unknown role": (
        AppendMessagesRequest(tenant=T, session_id="s", messages=[SessionMessage(message_id="m", role=9)]),  # type: ignore[arg-type] # a number that the enum does not have
        "messages[0].role",
    ),
    "no messages": (AppendMessagesRequest(tenant=T, session_id="s"), "messages"),
    "too many messages": (
        AppendMessagesRequest(
            tenant=T, session_id="s", messages=[SessionMessage(message_id=f"m{number}") for number in range(1001)]
        ),
        "messages",
    ),
    "a page size": (ReadMessagesRequest(tenant=T, session_id="s", page_size=1001), "page_size"),
    "a session id": (UpdateSessionRequest(tenant=T, session_id="a/b"), "session_id"),
}

LOG: dict[str, tuple[Any, str]] = {
    "an unknown state": (pb.FindRunsRequest(tenant=T, states=[99]), "states"),  # type: ignore[list-item] # a number that the enum does not have
    "a page size": (pb.FindRunsRequest(tenant=T, page_size=-1), "page_size"),
    "a made-up page token": (pb.FindRunsRequest(tenant=T, page_token="AAAA"), "page_token"),
    "too many labels": (pb.FindRunsRequest(tenant=T, labels={f"k{number}": "v" for number in range(1500)}), "labels"),
    "too many states": (pb.FindRunsRequest(tenant=T, states=[1] * 1001), "states"),
    "too many entries": (pb.AppendEventsRequest(entries=[pb.AppendEventsEntry()] * 1001), "entries"),
}

OWNERSHIP: dict[str, tuple[Any, str]] = {
    "a negative lease": (RenewLeaseRequest(instance_id="i", ttl=Duration(seconds=-1)), "ttl"),
    "a lease of a day": (RenewLeaseRequest(instance_id="i", ttl=Duration(seconds=86400)), "ttl"),
    "a negative wait": (
        ClaimRunsRequest(instance_id="i", claim_id="c", max_runs=1, wait=Duration(seconds=-1)),
        "wait",
    ),
    "too many runs": (ClaimRunsRequest(instance_id="i", claim_id="c", max_runs=1001), "max_runs"),
    "a signal of no kind": (SendSignalRequest(tenant=T, run_id="r", signal_id="s", signal=Signal()), "signal"),
    "an approval of no step": (
        SendSignalRequest(tenant=T, run_id="r", signal_id="s", signal=Signal(approval=Signal.Approval())),
        "signal.approval.step_id",
    ),
    "input too deep": (
        SendSignalRequest(
            tenant=T,
            run_id="r",
            signal_id="s",
            signal=Signal(input=Signal.Input(name="n", content=[Content(json=DEEP)])),
        ),
        "signal.input.content[0].json",
    ),
    "input too large": (
        SendSignalRequest(
            tenant=T,
            run_id="r",
            signal_id="s",
            signal=Signal(input=Signal.Input(name="n", content=[Content(text="x" * 2**18)])),
        ),
        "signal.input.content",
    ),
}


async def refused(stub: Any, request: Any) -> list[str]:
    """Calls the rpc of a request; returns the fields that it says are wrong."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await getattr(stub, type(request).__name__.removesuffix("Request"))(request)
    error = error_of(raised.value)
    assert isinstance(error, InvalidArgument)
    return [violation.field for violation in error.violations]


@pytest.mark.parametrize("case", VALUES)
async def test_values_name_what_is_wrong(house: House, case: str) -> None:
    """INVALID_ARGUMENT with the field, and nothing else."""
    request, field = VALUES[case]
    assert await refused(house.values, request) == [field]


@pytest.mark.parametrize("case", SESSIONS)
async def test_sessions_name_what_is_wrong(house: House, case: str) -> None:
    """INVALID_ARGUMENT with the field, and no session is made."""
    request, field = SESSIONS[case]
    assert await refused(house.sessions, request) == [field]
    page = await house.sessions.ReadMessages(ReadMessagesRequest(tenant=T, session_id="s"))
    assert not page.messages


@pytest.mark.parametrize("case", LOG)
async def test_the_run_log_names_what_is_wrong(house: House, case: str) -> None:
    """INVALID_ARGUMENT with the field."""
    request, field = LOG[case]
    assert await refused(house.log, request) == [field]


@pytest.mark.parametrize("case", OWNERSHIP)
async def test_ownership_names_what_is_wrong(house: House, case: str) -> None:
    """INVALID_ARGUMENT with the field."""
    request, field = OWNERSHIP[case]
    assert await refused(house.owner, request) == [field]


async def test_free_data_may_be_a_hundred_levels_deep(house: House) -> None:
    """And comes back to the letter, brackets in texts uncounted."""
    for text in (DEEPEST, '["' + "[" * 500 + '", "\\"{{"]'):
        assert (
            await house.sessions.UpdateSession(UpdateSessionRequest(tenant=T, session_id="s", data_json=text))
        ).applied


def _durability(entry: pb.RecordRunsEntry) -> None:
    entry.spec.durability = 9  # type: ignore[assignment] # a number that the enum does not have


def _on_busy(entry: pb.RecordRunsEntry) -> None:
    entry.spec.on_busy = 9  # type: ignore[assignment] # a number that the enum does not have


def _timeout(entry: pb.RecordRunsEntry) -> None:
    entry.spec.timeout.CopyFrom(Duration(seconds=-1))


def _label(entry: pb.RecordRunsEntry) -> None:
    entry.spec.labels["a b"] = "c"


def _input(entry: pb.RecordRunsEntry) -> None:
    entry.spec.input[0].text = "x" * (2**20 + 2000)


def _deep_input(entry: pb.RecordRunsEntry) -> None:
    entry.spec.input[0].json = DEEP


def _deep_message(entry: pb.RecordRunsEntry) -> None:
    entry.spec.session_id = "s"
    entry.session_messages.add(message_id="m", content=[Content(json=DEEP)])


def _workflow(entry: pb.RecordRunsEntry) -> None:
    entry.spec.workflow = "x" * 2**19


def _user(entry: pb.RecordRunsEntry) -> None:
    entry.user = "x" * 2**20


def _messages(entry: pb.RecordRunsEntry) -> None:
    entry.session_messages.add(message_id="m")


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_durability, "spec.durability"),
        (_on_busy, "spec.on_busy"),
        (_timeout, "spec.timeout"),
        (_label, "spec.labels"),
        (_input, "spec.input"),
        (_deep_input, "spec.input[0].json"),
        (_deep_message, "session_messages[0].content[0].json"),
        (_workflow, "spec"),
        (_user, "user"),
        (_messages, "session_messages"),
    ],
)
async def test_an_entry_that_can_t_be_recorded_says_why_and_holds_up_no_other(
    house: House, spoil: Callable[[pb.RecordRunsEntry], None], field: str
) -> None:
    """REFUSED with INVALID_ARGUMENT and the field; the entry beside it is recorded."""
    await e.lease(house)
    wrong, right = e.record_entry("run-1"), e.record_entry("run-2")
    spoil(wrong)
    response = await house.log.RecordRuns(pb.RecordRunsRequest(entries=[wrong, right]))
    assert response.results[0].outcome == pb.RECORD_OUTCOME_REFUSED
    error = from_status(response.results[0].refusal)
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [field]
    assert response.results[1].outcome == pb.RECORD_OUTCOME_STARTED


@pytest.mark.parametrize(
    "field", ["durability", "writer_sequence", "attempt", "session_messages", "session_messages[0].content[0].json"]
)
async def test_an_entry_that_can_t_be_appended_says_why_and_holds_up_no_other(house: House, field: str) -> None:
    """INVALID with the field in its words; the entry beside it goes into the log."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    wrong, right = e.append_entry("run-1", e.token()), e.append_entry("run-1", e.token())
    match field:
        case "durability":
            wrong.durability = 9  # type: ignore[assignment] # a number that the enum does not have
        case "writer_sequence":
            wrong.writer_sequence = 0
        case "attempt":
            wrong.attempt = 0
        case "session_messages[0].content[0].json":
            wrong.session_messages.add(message_id="m", content=[Content(json=DEEP)])
        case _:
            wrong.session_messages.add(message_id="")
    results = await e.append(house, wrong, right)
    assert results[0].outcome == pb.APPEND_OUTCOME_INVALID
    assert results[0].detail.startswith(field)
    assert results[1].outcome == pb.APPEND_OUTCOME_APPENDED


@pytest.mark.parametrize("case", ["from the future", "unknown include", "signals"])
async def test_a_read_names_what_is_wrong(house: House, case: str) -> None:
    """A cursor beyond the end, and what nobody can ask for."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    request = pb.ReadEventsRequest(tenant=T, run_id="run-1")
    match case:
        case "from the future":
            request.after_sequence = 2**64 - 1
        case "signals":
            request.include.append(pb.TAIL_INCLUDE_SIGNALS)
        case _:
            request.include.append(9)  # type: ignore[arg-type] # a number that the enum does not have
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async for _ in house.log.ReadEvents(request):
            pass
    error = error_of(raised.value)
    assert isinstance(error, InvalidArgument)
    assert error.violations[0].field == ("after_sequence" if case == "from the future" else "include")


@pytest.mark.parametrize("case", ["from the future", "credit", "unknown include"])
async def test_a_tail_names_what_is_wrong(house: House, case: str) -> None:
    """The tail is closed with INVALID_ARGUMENT and the field, and the stream goes on."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    wrong: dict[str, tuple[dict[str, Any], str]] = {
        "from the future": ({"after_sequence": 2**64 - 1}, "after_sequence"),
        "credit": ({"credit": 2**62 + 1}, "opens.credit_bytes"),
        "unknown include": ({"include": [9]}, "opens.include"),
    }
    opening, field = wrong[case]
    async with reading(house) as reader:
        await reader.open(1, "run-1", **opening)
        error = from_status((await reader.closed(1)).error)
        assert isinstance(error, InvalidArgument)
        assert [violation.field for violation in error.violations] == [field]
        await reader.open(2, "run-1")
        await reader.until(2, 2)


@pytest.mark.stores("sqlite")
@pytest.mark.parametrize("length", [16, 40])
async def test_a_page_token_that_somebody_made_up_well_is_refused(house: House, length: int) -> None:
    """Its mark is right, and it names no place that this store's list has."""
    request = pb.FindRunsRequest(tenant=T)
    request.page_token = make_token(request, b"\xff" * length)
    assert await refused(house.log, request) == ["page_token"]
