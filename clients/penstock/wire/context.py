"""Who asks, and on whose behalf: the request's context and its form in metadata."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

from penstock.wire.errors import InvalidArgument
from penstock.wire.ids import ID_RULE, is_id, random_id

REQUEST_ID: Final = "x-request-id"
SESSION_ID: Final = "x-session-id"
TENANT: Final = "x-penstock-tenant"
USER: Final = "x-penstock-user"
TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
BAGGAGE: Final = "baggage"

_SINGLE: Final = frozenset({REQUEST_ID, SESSION_ID, TENANT, USER, TRACEPARENT})
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

# What a caller may make us send along with every inner call, in characters: W3C's own least for a tracestate, and a
# few short values. Together they stay far below the size from which calls fail at random.
MOST_TRACESTATE: Final = 512
MOST_BAGGAGE: Final = 2_048

# W3C ids must be random, not secret, and each call needs one: the system's generator costs ten times as much.
_random: Final = random.Random()

_IDS: Final = (REQUEST_ID, SESSION_ID, TENANT)
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

Pairs = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Represents the request that is being worked on.

    `trace_id` and `span_id` are W3C ids (32 and 16 hex digits); `metadata` travels along as W3C baggage and is meant
    for a few short values (2 KiB in all; what comes in beyond that is left out).
    """

    request_id: str
    user: str = ""
    session_id: str = ""
    tenant: str = ""
    trace_id: str = field(default_factory=lambda: _new_trace_id())
    span_id: str = field(default_factory=lambda: _new_span_id())
    parent_span_id: str = ""
    trace_flags: int = 0
    tracestate: str = ""
    created_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    metadata: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def child(self) -> RequestContext:
        """Makes the context of nested work: the same request and trace, a span of its own."""
        return self._under(self.created_time)

    def detach(self) -> RequestContext:
        """Makes the context of work that outlives the request: the same ids, a span and a creation time of its own."""
        return self._under(datetime.now(UTC))

    def _under(self, created_time: datetime) -> RequestContext:
        # Written out: every call between layers passes here, and `replace` costs four times as much.
        return RequestContext(
            request_id=self.request_id,
            user=self.user,
            session_id=self.session_id,
            tenant=self.tenant,
            trace_id=self.trace_id,
            span_id=_new_span_id(),
            parent_span_id=self.span_id,
            trace_flags=self.trace_flags,
            tracestate=self.tracestate,
            created_time=created_time,
            metadata=self.metadata,
        )

    def outgoing(self) -> list[tuple[str, str]]:
        """Writes the metadata of a call made for this request, under a span of its own."""
        return self._written(_new_span_id(), inner=True)

    @property
    def traceparent(self) -> str:
        """The W3C trace context header of this span."""
        return f"00-{self.trace_id}-{self.span_id}-{self.trace_flags:02x}"

    def to_metadata(self, *, inner: bool = True) -> list[tuple[str, str]]:
        """Writes the context as metadata pairs; tenant and user only for `inner` calls, between layers."""
        return self._written(self.span_id, inner=inner)

    def _written(self, span_id: str, *, inner: bool) -> list[tuple[str, str]]:
        traceparent = f"00-{self.trace_id}-{span_id}-{self.trace_flags:02x}"
        pairs = [(REQUEST_ID, self.request_id), (TRACEPARENT, traceparent)]
        if self.session_id:
            pairs.append((SESSION_ID, self.session_id))
        if self.tracestate:
            pairs.append((TRACESTATE, self.tracestate))
        if self.metadata:
            pairs.append((BAGGAGE, ",".join(f"{quote(k)}={quote(v)}" for k, v in self.metadata.items())))
        if inner and self.tenant:
            pairs.append((TENANT, self.tenant))
        if inner and self.user:
            pairs.append((USER, quote(self.user)))
        return pairs


def from_metadata(pairs: Pairs) -> RequestContext:
    """Reads a context from a call's metadata, making what is missing; its span is a child of the caller's.

    Raises:
        InvalidArgument: an id outside its alphabet, given twice, or with control characters; all of them at once.
    """
    values: dict[str, str] = {}
    wrong: list[tuple[str, str]] = []
    for key, value in pairs:
        if isinstance(value, bytes):
            continue
        if not (value.isascii() and value.isprintable()):
            wrong.append((f"metadata[{key}]", "holds a byte outside 0x20 to 0x7e; send binary data under a -bin key"))
        elif key in _SINGLE and key in values:
            wrong.append((f"metadata[{key}]", "is given twice; send it once"))
        elif key in (TRACESTATE, BAGGAGE) and key in values:
            values[key] += "," + value
        else:
            values[key] = value
    for key in _IDS:
        if key in values and not is_id(values[key]):
            wrong.append((f"metadata[{key}]", f"must be {ID_RULE}"))
    if wrong:
        raise InvalidArgument.of(wrong)
    trace = _TRACEPARENT.fullmatch(values.get(TRACEPARENT, ""))
    if trace is not None and (trace[1] == _NO_TRACE or trace[2] == _NO_SPAN):
        trace = None
    # One that can't be read starts a new trace, as the W3C recommendation asks; it is no error.
    tracestate = values.get(TRACESTATE, "")
    baggage = values.get(BAGGAGE)
    return RequestContext(
        request_id=values.get(REQUEST_ID) or random_id("req"),
        user=unquote(values[USER]) if USER in values else "",
        session_id=values.get(SESSION_ID, ""),
        tenant=values.get(TENANT, ""),
        trace_id=_new_trace_id() if trace is None else trace[1],
        span_id=_new_span_id(),
        parent_span_id="" if trace is None else trace[2],
        trace_flags=0 if trace is None else int(trace[3], 16),
        tracestate="" if trace is None or len(tracestate) > MOST_TRACESTATE else tracestate,
        metadata=_NOTHING if baggage is None else MappingProxyType(_baggage(baggage)),
    )


def trace_id_of(traceparent: str) -> str:
    """Returns the trace id in a W3C trace context header; empty where there is none that can be read."""
    trace = _TRACEPARENT.fullmatch(traceparent)
    return "" if trace is None else trace[1]


# All zeros would be no valid id; the chance of it is not worth a look.
def _new_trace_id() -> str:
    return f"{_random.getrandbits(128):032x}"


def _new_span_id() -> str:
    return f"{_random.getrandbits(64):016x}"


def _baggage(text: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    room = MOST_BAGGAGE
    for member in text.split(","):
        key, separator, value = member.partition(";")[0].partition("=")
        if separator and key.strip():
            key, value = unquote(key.strip()), unquote(value.strip())
            room -= len(f"{quote(key)}={quote(value)},")
            if room < 0:
                break  # never half an entry: it would say something else
            entries[key] = value
    return entries


_current: ContextVar[RequestContext | None] = ContextVar("penstock_request", default=None)


def current_context() -> RequestContext | None:
    """Returns the context of the request that is being worked on; None outside of any."""
    return _current.get()


@contextmanager
def use_context(context: RequestContext) -> Iterator[None]:
    """Makes a context the current one for a block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
