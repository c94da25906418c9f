"""Who asks: read from metadata that anyone may have written, and passed on to every call made for the same request."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.wire.context import (
    MOST_BAGGAGE,
    RequestContext,
    current_context,
    from_metadata,
    use_context,
)
from penstock.wire.errors import InvalidArgument

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"

ids = st.text("abcXYZ019._:-", min_size=1, max_size=128)
# As much of it as a context may hold, whatever has to be escaped.
values = st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=20), max_size=5)


@given(ids, ids, ids, st.text(max_size=20), values)
def test_a_context_arrives_at_the_next_layer_as_it_left(
    request_id: str, session_id: str, tenant: str, user: str, metadata: dict[str, str]
) -> None:
    """Whatever the user is called and the values hold; the span there is a child of the span here."""
    here = RequestContext(request_id, user, session_id, tenant, trace_flags=1, tracestate="a=b", metadata=metadata)
    there = from_metadata(here.to_metadata())
    assert (there.request_id, there.user, there.session_id, there.tenant) == (request_id, user, session_id, tenant)
    assert (there.trace_id, there.parent_span_id, there.trace_flags) == (here.trace_id, here.span_id, 1)
    assert (there.tracestate, dict(there.metadata)) == ("a=b", metadata)
    assert there.span_id not in (here.span_id, here.parent_span_id)


def test_tenant_and_user_do_not_leave_for_the_outside() -> None:
    """They are the gateway's to say; a client's call to a door would be refused with them."""
    context = RequestContext("req-1", user="u", session_id="s", tenant="t")
    assert [key for key, _ in context.to_metadata(inner=False)] == ["x-request-id", "traceparent", "x-session-id"]


def test_what_is_missing_is_made_and_different_each_time() -> None:
    """A call without any metadata can be found in the log all the same."""
    one, other = from_metadata(()), from_metadata(())
    assert one.request_id.startswith("req-")
    assert one.request_id != other.request_id
    assert (len(one.trace_id), len(one.span_id), one.parent_span_id) == (32, 16, "")
    assert one.trace_id != other.trace_id
    assert (one.tenant, one.user, one.session_id, dict(one.metadata)) == ("", "", "", {})


def test_all_that_is_wrong_is_said_at_once_and_by_key() -> None:
    """A caller mends its metadata in one go."""
    pairs = [
        ("x-request-id", "a"),
        ("x-request-id", "b"),
        ("x-session-id", "no spaces"),
        ("x-penstock-tenant", "x" * 129),
        ("anything", "bell\x07"),
    ]
    with pytest.raises(InvalidArgument) as refused:
        from_metadata(pairs)
    assert [violation.field for violation in refused.value.violations] == [
        "metadata[x-request-id]",
        "metadata[anything]",
        "metadata[x-session-id]",
        "metadata[x-penstock-tenant]",
    ]


@pytest.mark.parametrize("key", ["x-request-id", "x-session-id", "x-penstock-tenant", "x-penstock-user", "traceparent"])
def test_a_doubled_id_is_refused_also_when_both_are_equal(key: str) -> None:
    """Proxies and servers differ in which of the two they take."""
    value = TRACEPARENT if key == "traceparent" else "same"
    with pytest.raises(InvalidArgument, match="given twice"):
        from_metadata([(key, value), (key, value)])


def test_binary_metadata_and_keys_of_others_are_left_alone() -> None:
    """They may repeat, and hold any bytes."""
    pairs = [("trace-bin", b"\x00\xff"), ("x-other", "1"), ("x-other", "2"), ("x-request-id", "req-1")]
    assert from_metadata(pairs).request_id == "req-1"


def test_a_traceparent_is_taken_up() -> None:
    """With W3C's own example."""
    context = from_metadata([("traceparent", TRACEPARENT), ("tracestate", "a=1"), ("tracestate", "b=2")])
    assert (context.trace_id, context.parent_span_id, context.trace_flags) == (TRACE, SPAN, 1)
    assert context.tracestate == "a=1,b=2"
    assert context.traceparent == f"00-{TRACE}-{context.span_id}-01"


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "nonsense",
        TRACEPARENT.upper(),
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{TRACEPARENT}-more",
        f"ff-{TRACE}-{SPAN}-01",
    ],
)
def test_a_traceparent_that_cannot_be_read_starts_a_new_trace(broken: str) -> None:
    """As the W3C recommendation asks; its tracestate belongs to the old one and goes with it."""
    context = from_metadata([("traceparent", broken), ("tracestate", "a=1")])
    assert context.trace_id not in (TRACE, "0" * 32)
    assert (context.parent_span_id, context.trace_flags, context.tracestate) == ("", 0, "")


def test_a_child_is_the_same_request_under_a_span_of_its_own() -> None:
    """So a trace shows what was done for what."""
    parent = RequestContext("req-1", "u", "s", "t", tracestate="a=1", metadata={"k": "v"})
    child = parent.child()
    assert (child.request_id, child.user, child.session_id, child.tenant) == ("req-1", "u", "s", "t")
    assert (child.trace_id, child.parent_span_id) == (parent.trace_id, parent.span_id)
    assert (child.tracestate, child.metadata, child.created_time) == ("a=1", {"k": "v"}, parent.created_time)
    assert child.span_id != parent.span_id


def test_detached_work_keeps_its_ids_and_begins_anew_in_time() -> None:
    """It outlives the request, in the same trace."""
    long_ago = RequestContext("req-1", created_time=datetime(2020, 1, 1, tzinfo=UTC))
    detached = long_ago.detach()
    assert (detached.request_id, detached.trace_id) == ("req-1", long_ago.trace_id)
    assert detached.parent_span_id == long_ago.span_id
    assert detached.created_time > long_ago.created_time
    assert detached.created_time.tzinfo is not None


def test_each_outgoing_call_has_a_span_of_its_own_in_the_same_trace() -> None:
    """Two calls under one span could not be told apart."""
    context = RequestContext("req-1", tenant="t")
    spans = [dict(context.outgoing())["traceparent"].split("-") for _ in range(2)]
    assert {span[1] for span in spans} == {context.trace_id}
    assert len({context.span_id, *(span[2] for span in spans)}) == 3
    assert dict(context.outgoing())["x-penstock-tenant"] == "t"


def test_baggage_over_its_limit_loses_whole_entries_and_never_half_a_value() -> None:
    """Half of a value would be another value."""
    context = from_metadata([("baggage", f"first=1,second={'x' * MOST_BAGGAGE},third=3")])
    assert dict(context.metadata) == {"first": "1"}


def test_no_caller_can_make_the_metadata_of_inner_calls_too_big() -> None:
    """Above 8 KiB inner calls fail at random; characters that must be escaped take three times their room."""
    given_pairs = [
        ("x-request-id", "r" * 128),
        ("x-session-id", "s" * 128),
        ("traceparent", TRACEPARENT),
        ("tracestate", "t" * 3000),
        ("baggage", ",".join(f"k{number}={'{' * 50}" for number in range(60))),
    ]
    assert sum(len(key) + len(value) for key, value in given_pairs) < 8192
    sent = from_metadata(given_pairs).outgoing()
    assert sum(len(key) + len(value) + 32 for key, value in sent) < 4096


async def test_a_context_is_current_within_its_block_and_in_no_other_task() -> None:
    """Nested blocks take turns, and what was before comes back, also after an error."""
    outer, inner = RequestContext("outer"), RequestContext("inner")
    assert current_context() is None
    with use_context(outer):
        with pytest.raises(InvalidArgument), use_context(inner):
            from_metadata([("x-request-id", "no id")])
        assert current_context() is outer
        async with asyncio.TaskGroup() as group:
            group.create_task(_use(inner))
        assert current_context() is outer
    assert current_context() is None


async def _use(context: RequestContext) -> None:
    with use_context(context):
        await asyncio.sleep(0)
        assert current_context() is context
