"""Observe: a log line, a span and metrics for each call: whose it was, how it ended and how long it took."""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import grpc

from penstock.interceptors.arrival import asker
from penstock.interceptors.rules import LayerRules
from penstock.interceptors.telemetry import ERRORS, begin
from penstock.wire.call import Call
from penstock.wire.concern import Concern

LOGGER: Final = logging.getLogger("penstock.calls")

# What the server, not the caller, is to be blamed for; who calls what is not built yet needs no warning in its log.
FAULTS: Final = ERRORS - {grpc.StatusCode.UNIMPLEMENTED}


def observe(rules: Mapping[str, LayerRules], *, listening: bool = True) -> Concern:
    """Makes the concern that logs each call to `penstock.calls`, and leaves it in traces and metrics.

    Faults of the server are warnings. The state layer hears every token, anyone may ask for health, and what comes from
    the same process (not `listening`) belongs to a call that came in at its door: these are logged for debugging only.
    So is an absence that a caller in the same process hears of, who tells it, or tries again for as long as it takes.
    """
    faults = FAULTS if listening else FAULTS - {grpc.StatusCode.UNAVAILABLE}

    @contextmanager
    def observed(call: Call) -> Iterator[None]:
        rule = rules.get(call.service)
        layer = rule.layer if rule is not None else ""
        usual = logging.DEBUG if layer in ("", "state") or not listening else logging.INFO
        started = time.perf_counter()
        recorded = begin(call, layer)
        code = grpc.StatusCode.UNKNOWN
        try:
            yield
            code = _code(call) or grpc.StatusCode.OK
        except asyncio.CancelledError:
            remaining = call.context.time_remaining()
            out_of_time = remaining is not None and remaining <= 0
            code = grpc.StatusCode.DEADLINE_EXCEEDED if out_of_time else grpc.StatusCode.CANCELLED
            raise
        except BaseException:
            code = _code(call) or grpc.StatusCode.UNKNOWN
            raise
        finally:
            if recorded is not None:
                recorded.end(code)
            _log(call, layer, logging.WARNING if code in faults else usual, code, started)

    return observed


def _code(call: Call) -> grpc.StatusCode | None:
    code: Any = call.context.code()  # its type says int, what comes is a StatusCode, or None before it is set
    return code if isinstance(code, grpc.StatusCode) else None


def _log(call: Call, layer: str, level: int, code: grpc.StatusCode, started: float) -> None:
    if not LOGGER.isEnabledFor(level):
        return
    who = asker(call)
    duration = round((time.perf_counter() - started) * 1000, 3)
    # Made by hand: `LOGGER.log` would search the stack for the line that logs, which is always this one.
    record = LOGGER.makeRecord(
        LOGGER.name,
        level,
        __file__,
        0,
        "%s.%s %s in %.1f ms",
        (call.service.rpartition(".")[2], call.name, code.name, duration),
        None,
        extra={
            "method": call.method,
            "kind": call.kind.name.lower(),
            "code": code.name,
            "duration_ms": duration,
            "layer": layer,
            "peer": call.context.peer(),
            "request_id": who.request_id,
            "tenant": who.tenant,
            "session_id": who.session_id,
            "trace_id": who.trace_id,
        },
    )
    LOGGER.handle(record)
