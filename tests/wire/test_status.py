"""The one table between errors and statuses: whole, and without loss in either direction."""

from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import code_pb2, error_details_pb2
from google.rpc.status_pb2 import Status

from penstock.wire import errors
from penstock.wire.errors import PenstockError
from penstock.wire.status import (
    CODES,
    DETAILS_KEY,
    DOMAIN,
    code_of,
    failed_status,
    from_rpc_error,
    from_status,
    reason_of,
    to_status,
    trailing_details,
)

FACTS = {"run_id": "run-1", "request_id": "req-1"}


def subclasses(cls: type[PenstockError] = PenstockError) -> Iterator[type[PenstockError]]:
    """All errors of the tree below one."""
    for child in cls.__subclasses__():
        yield child
        yield from subclasses(child)


def example(cls: type[Any]) -> PenstockError:
    """An error of the class with all that it can say."""
    made: PenstockError
    if issubclass(cls, errors.OverLimit):
        made = cls("text", subject="tenant:a", retry_after=2.5)
    elif issubclass(cls, errors.OutOfRange):
        made = cls("text", run_id="run-1", first_sequence=12)
    elif issubclass(cls, errors.DataLoss):
        made = cls("text", run_id="run-1", last_common_sequence=7, generation=3)
    elif issubclass(cls, errors.InvalidArgument):
        made = cls("text", [("a", "is wrong"), ("b", "too")])
    elif issubclass(cls, errors.Unavailable):
        made = cls("text", retry_after=0.25)
    else:
        made = cls("text", retry_after=1.5)
    made.metadata.update(FACTS)
    return made


def failed(code: grpc.StatusCode, details: str = "", trailing: tuple[tuple[str, Any], ...] = ()) -> Any:
    """The failure of a call as grpc raises it."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details)


def facts(error: PenstockError) -> dict[str, Any]:
    """All that an error says."""
    return {key: value for key, value in vars(error).items() if not key.startswith("_")}


def test_every_error_of_the_tree_is_in_the_table() -> None:
    """One that is not would silently take the code of its parent, or INTERNAL."""
    assert set(subclasses()) == set(CODES)


def test_no_two_errors_of_one_code_share_their_reason() -> None:
    """The reason is what tells them apart at the other end."""
    assert len({(code, cls.reason) for cls, code in CODES.items()}) == len(CODES)


@pytest.mark.parametrize("cls", CODES, ids=lambda cls: cls.__name__)
def test_every_error_comes_back_as_itself_with_all_that_it_says(cls: type[PenstockError]) -> None:
    """Over a failed call, as between any two layers."""
    error = example(cls)
    status = to_status(error)
    back = from_rpc_error(failed(code_of(error), "other text", (trailing_details(status),)))
    assert type(back) is cls
    assert facts(back) == facts(error)
    assert str(back) == "text"
    assert status.code == CODES[cls].value[0]


@pytest.mark.parametrize("cls", CODES, ids=lambda cls: cls.__name__)
def test_a_reason_of_its_own_stays_with_an_error(cls: type[PenstockError]) -> None:
    """Callers act on reasons."""
    error = example(cls)
    error.reason = "A_REASON_OF_ITS_OWN"
    back = from_status(to_status(error))
    assert back.reason == "A_REASON_OF_ITS_OWN"
    assert CODES[type(back)] is CODES[cls]


def test_a_status_names_our_domain_and_the_request_once() -> None:
    """An id that the error has already is the one that finds the cause."""
    info = error_details_pb2.ErrorInfo()
    to_status(errors.NotFound("no"), "req-2").details[0].Unpack(info)
    assert (info.domain, info.reason, dict(info.metadata)) == (DOMAIN, "NOT_FOUND", {"request_id": "req-2"})
    to_status(errors.NotFound("no", metadata={"request_id": "req-1"}), "req-2").details[0].Unpack(info)
    assert info.metadata["request_id"] == "req-1"


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_code_without_details_becomes_an_error_of_that_code(code: grpc.StatusCode) -> None:
    """Proxies, and the transport itself, say no more than a code and a text; UNKNOWN is a fault like any other."""
    error = from_rpc_error(failed(code, "as the proxy said"))
    assert error.message == "as the proxy said"
    assert code_of(error) is (grpc.StatusCode.INTERNAL if code is grpc.StatusCode.UNKNOWN else code)


def test_exhausted_without_a_reason_is_no_quota() -> None:
    """A message that is too large fits no better after a while."""
    error = from_rpc_error(failed(grpc.StatusCode.RESOURCE_EXHAUSTED))
    assert type(error) is errors.ResourceExhausted
    assert error.retry_after is None


def test_details_that_cannot_be_read_leave_code_and_text() -> None:
    """A peer that is none of ours may send anything under the key."""
    error = from_rpc_error(failed(grpc.StatusCode.NOT_FOUND, "gone", ((DETAILS_KEY, b"\xff\xff\xff"),)))
    assert (type(error), error.message) == (errors.NotFound, "gone")


@pytest.mark.parametrize("number", ["", "-1", "x", "²"])
def test_facts_that_are_no_numbers_are_no_reason_to_fail(number: str) -> None:
    """The error itself must arrive."""
    status = failed_status(grpc.StatusCode.OUT_OF_RANGE, "old", "CURSOR_EXPIRED", {"first_sequence": number})
    error = from_status(status)
    assert isinstance(error, errors.OutOfRange)
    assert error.first_sequence == 0


def test_a_code_from_the_future_is_a_fault() -> None:
    """There is nothing else that it certainly means."""
    assert type(from_status(Status(code=99, message="?"))) is errors.Internal


def test_what_failed_without_a_call_failing_tells_its_reason() -> None:
    """As runs, steps and tools do."""
    status = failed_status(grpc.StatusCode.INTERNAL, "text", "AGENT_FAILED", {"agent": "a"})
    assert (status.code, reason_of(status)) == (code_pb2.INTERNAL, "AGENT_FAILED")
    assert from_status(status).metadata == {"agent": "a"}
    assert reason_of(Status(code=code_pb2.INTERNAL)) == ""


def test_a_missing_name_comes_with_those_that_look_like_it() -> None:
    """Or, where none does, with what there is."""
    near = errors.NotFound.named("agent", "sumarise", ["summarise", "echo"])
    assert near.message == "there is no agent 'sumarise'; did you mean 'summarise'?"
    assert (near.reason, near.metadata) == ("AGENT_NOT_FOUND", {"agent": "sumarise", "nearest": "summarise"})
    far = errors.NotFound.named("agent", "zzz", [f"a{n:02}" for n in range(12)])
    assert far.message.endswith("there are: a00, a01, a02, a03, a04, a05, a06, a07, a08, a09 …")
