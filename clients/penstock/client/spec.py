"""What to run, as Python says it, made into the RunSpec that every way of starting a run takes."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypedDict, Unpack, cast

from google.protobuf.duration_pb2 import Duration

from penstock.v1.plan_pb2 import Plan
from penstock.v1.run_pb2 import Content, Durability, OnBusy, RunSpec
from penstock.wire.errors import InvalidArgument
from penstock.wire.ids import random_id
from penstock.wire.plan_form import plan_from

Task = str | Sequence[str | Content]
"""What a run is given: a text, or parts; a plain str is a part of text."""

TARGETS = ("agent", "plan", "workflow")


class RunOptions(TypedDict, total=False):
    """Represents all that can be said of a run beside its task.

    One of `agent`, `plan` (a Plan, or a mapping in its JSON form) and `workflow` says what to run. `session` is the
    conversation to continue, and `on_busy` what to do while it has another run. `timeout` is the run's time in
    seconds, queueing included. `labels` are the caller's own marks. `idempotency_key` makes the call safe to repeat.
    `durability` is what the run's log is to survive: the death of a process, a loss of power, that of the store's
    server with a replica taking its place; a store that can't is told by FailedPrecondition.
    """

    agent: str
    plan: Plan | Mapping[str, Any] | None
    workflow: str
    session: str
    on_busy: Literal["enqueue", "reject", "interrupt"] | None
    timeout: float | timedelta | None
    labels: Mapping[str, str]
    idempotency_key: str
    durability: Literal["process", "power", "replica"] | None


def run_spec(task: Task, **options: Unpack[RunOptions]) -> RunSpec:
    """Makes the spec of a run, with a key of its own where none is given, so that repeats start nothing twice.

    Raises:
        InvalidArgument: what the server could not even be asked; everything else it checks itself.
        TypeError: an option that there isn't.
    """
    # Types say it too, but not to everybody; a misspelt session or timeout must not be left out without a word.
    if unknown := options.keys() - RunOptions.__optional_keys__:
        there_are = ", ".join(sorted(RunOptions.__optional_keys__))
        raise TypeError(f"no such option: {', '.join(sorted(unknown))}; there are {there_are}")
    chosen = [name for name in TARGETS if options.get(name)]
    if len(chosen) > 1:
        raise InvalidArgument.of([("target", f"is one of {', '.join(TARGETS)}, not {' and '.join(chosen)}")])
    spec = RunSpec(
        idempotency_key=options.get("idempotency_key") or random_id("key"),
        agent=options.get("agent") or None,
        plan=_plan(options.get("plan")),
        workflow=options.get("workflow") or None,
        input=[_part(part) for part in ([task] if isinstance(task, str) else task)],
        session_id=options.get("session", ""),
        labels=options.get("labels"),
    )
    if (on_busy := options.get("on_busy")) is not None:
        spec.on_busy = _on_busy(on_busy)
    if (durability := options.get("durability")) is not None:
        spec.durability = _durability(durability)
    if (timeout := options.get("timeout")) is not None:
        spec.timeout.CopyFrom(duration("timeout", timeout))
    return spec


def _part(part: str | Content) -> Content:
    return Content(text=part) if isinstance(part, str) else part


def _plan(plan: Plan | Mapping[str, Any] | None) -> Plan | None:
    return plan if plan is None or isinstance(plan, Plan) else plan_from(plan)


def _on_busy(name: str) -> OnBusy:
    known = {value.name: value.number for value in OnBusy.DESCRIPTOR.values if value.number}
    number = known.get(f"ON_BUSY_{name.upper()}")
    if number is None:
        raise InvalidArgument.of([("on_busy", f"is enqueue, reject or interrupt, not {name!r}")])
    return cast(OnBusy, number)  # enum values are plain numbers at run time


def _durability(name: str) -> Durability:
    known = {value.name: value.number for value in Durability.DESCRIPTOR.values if value.number}
    number = known.get(f"DURABILITY_{name.upper()}")
    if number is None:
        raise InvalidArgument.of([("durability", f"is process, power or replica, not {name!r}")])
    return cast(Durability, number)  # enum values are plain numbers at run time


def duration(name: str, timeout: float | timedelta) -> Duration:
    """Makes the duration of an argument of that name; raises InvalidArgument where it is no number of seconds."""
    made = Duration()
    try:
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        made.FromNanoseconds(round(seconds * 1e9))
    except (TypeError, ValueError, OverflowError):
        raise InvalidArgument.of([(name, f"is a number of seconds, not {timeout!r}")]) from None
    return made
