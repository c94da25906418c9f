"""Deadlines: each hop passes on what is left, and never more."""

import math

import pytest

from penstock.wire.call import Call, Kind, Side
from penstock.wire.context import RequestContext, use_context
from penstock.wire.deadline import LONGEST, Deadline, clamp_timeout, current_deadline, use_deadline
from penstock.wire.outgoing import DEFAULT_TIMEOUT, client_context, client_deadline


def leaving(method: str = "/penstock.v1.RunLogService/ReadRuns", kind: Kind = Kind.UNARY_UNARY, **given: float) -> Call:
    """A call about to leave."""
    return Call(method, kind, Side.CLIENT, **given)  # type: ignore[arg-type]  # the only float is its timeout


def test_a_deadline_that_is_past_leaves_nothing() -> None:
    """Never less than nothing, which gRPC would take for no deadline in some places."""
    assert Deadline.after(-5).remaining() == 0.0


@pytest.mark.parametrize("absurd", [math.inf, 1e300, 2**63])
def test_an_absurd_time_is_thirty_days(absurd: float) -> None:
    """Some clients send the largest number for none."""
    assert Deadline.after(absurd).remaining() == pytest.approx(LONGEST, abs=5)


def test_the_earlier_of_two_deadlines_counts() -> None:
    """Whichever way they are compared."""
    minute = Deadline.after(60)
    assert minute.earlier(None) is minute
    assert minute.earlier(120) is minute
    assert minute.earlier(1).remaining() <= 1


@pytest.mark.parametrize(("asked", "least", "most"), [(None, 9, 10), (60.0, 9, 10), (2.0, 2, 2)])
def test_a_call_gets_what_it_asks_for_and_never_more_than_is_left(
    asked: float | None, least: float, most: float
) -> None:
    """The work would be for nobody."""
    assert clamp_timeout(asked) == asked
    with use_deadline(Deadline.after(10)):
        clamped = clamp_timeout(asked)
        assert clamped is not None
        assert least <= clamped <= most
    assert current_deadline() is None


def test_a_call_at_the_end_of_its_time_gets_none() -> None:
    """It fails at once, instead of waiting without end."""
    with use_deadline(Deadline.after(0)):
        assert clamp_timeout(30) == 0.0


def test_work_without_end_inside_a_deadline_has_none() -> None:
    """As a run's work, which outlives the call that started it."""
    with use_deadline(Deadline.after(1)), use_deadline(None):
        assert clamp_timeout(None) is None


def test_a_short_inner_call_is_given_up_in_the_end_and_a_long_one_is_not() -> None:
    """Nothing waits for ever, but streams and waits for work last as long as their work."""
    short, stream = leaving(), leaving(kind=Kind.UNARY_STREAM)
    waiting = leaving("/penstock.v1.OwnershipService/ClaimRuns")
    for call in (short, stream, waiting):
        client_deadline(call)
    assert (short.timeout, stream.timeout, waiting.timeout) == (DEFAULT_TIMEOUT, None, None)


def test_every_inner_call_ends_with_the_one_on_whose_behalf_it_is_made() -> None:
    """Streams, too, and those that asked for more."""
    with use_deadline(Deadline.after(5)):
        for call in (leaving(), leaving(timeout=60.0), leaving(kind=Kind.STREAM_STREAM)):
            client_deadline(call)
            assert call.timeout is not None
            assert call.timeout <= 5


def test_the_current_request_goes_along_and_what_the_caller_set_itself_stays() -> None:
    """Outside of any request there is nothing to say."""
    alone = leaving()
    client_context(alone)
    assert alone.metadata == []
    call = leaving()
    call.metadata.append(("x-request-id", "mine"))
    with use_context(RequestContext("req-1", tenant="t")):
        client_context(call)
    assert [value for key, value in call.metadata if key == "x-request-id"] == ["mine"]
    assert ("x-penstock-tenant", "t") in call.metadata
