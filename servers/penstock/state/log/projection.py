"""What each event means for its run: the store's own reading of the log, made as the events come in."""

from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp

from penstock.state.log.fences import check_attempt
from penstock.state.log.head import DONE_OUTCOMES, RunHead
from penstock.state.log.refused import Refused, invalid
from penstock.v1.run_event_pb2 import STEP_OUTCOME_SUCCEEDED, STEP_OUTCOME_UNSPECIFIED, RunEvent, StepFinished
from penstock.v1.run_log_pb2 import APPEND_OUTCOME_ATTEMPT_CLOSED, APPEND_OUTCOME_STEP_FINISHED, StepRecord
from penstock.v1.run_pb2 import RUN_STATE_QUEUED, RUN_STATE_RUNNING, RUN_STATE_WAITING, Usage


@dataclass(slots=True)
class Consequences:
    """Collects what the events of an entry ask of the store beyond the run's head."""

    taken_signals: list[int] = field(default_factory=list)
    lifecycle: bool = False
    finished: bool = False


def apply(head: RunHead, event: RunEvent, time: Timestamp, consequences: Consequences) -> None:
    """Changes a head as one event of its log says.

    Raises:
        Refused: the event does not fit what the log says so far.
    """
    kind = event.WhichOneof("event")
    if kind in ("token", "progress"):
        _check_place(head, event)
        return
    consequences.lifecycle = True
    if head.state == RUN_STATE_QUEUED and kind not in ("run_started", "run_finished"):
        raise invalid(f"{kind}: the run has not started")
    match kind:
        case "run_started":
            _run_started(head, time)
        case "step_started":
            _step_started(head, event, time)
        case "usage":
            _check_place(head, event)
            _add_usage(head.record.run.usage, event.usage)
        case "rewind":
            _rewind(head, event, time)
        case "waiting":
            check_attempt(head, event.step_id, event.attempt)
            head.waiting.add(event.step_id)
        case "signal":
            if event.signal.signal_number > head.signals:
                raise invalid(f"signal: no signal {event.signal.signal_number} was sent")
            if event.signal.signal.HasField("cancel"):
                head.record.cancel.CopyFrom(event.signal.signal.cancel)
            consequences.taken_signals.append(event.signal.signal_number)
        case "step_finished":
            _step_finished(head, event, time)
        case "run_finished":
            _run_finished(head, event, time)
            consequences.finished = True
        case _:
            _check_place(head, event)
            return
    _see_whether_it_waits(head)
    head.changed = True


def _check_place(head: RunHead, event: RunEvent) -> None:
    """An attempt's entry was fenced as a whole; the owner may write beside an attempt, but not make one up."""
    if head.state == RUN_STATE_QUEUED:
        raise invalid("the run has not started")
    if event.step_id:
        step = head.steps.get(event.step_id)
        if step is None or step.attempt != event.attempt:
            raise invalid(f"step {event.step_id} has no attempt {event.attempt} that is the newest")
    elif event.attempt:
        raise invalid("an attempt without its step")


def _run_started(head: RunHead, time: Timestamp) -> None:
    run = head.record.run
    if run.state != RUN_STATE_QUEUED:
        raise invalid("run_started: the run has started already")
    run.state = RUN_STATE_RUNNING
    run.start_time.CopyFrom(time)
    head.claimable = False


def _step_started(head: RunHead, event: RunEvent, time: Timestamp) -> None:
    step = head.steps.get(event.step_id)
    if step is not None and step.outcome in DONE_OUTCOMES:
        raise Refused(APPEND_OUTCOME_STEP_FINISHED, f"step {event.step_id} is done")
    newest = 0 if step is None else step.attempt
    if event.attempt != newest + 1:
        raise invalid(f"step_started: the next attempt of step {event.step_id} is {newest + 1}, not {event.attempt}")
    if step is None:
        step = head.begin_step(event.step_id)
    elif step.open:
        _lose(head, step, time)
    step.attempt = event.attempt
    step.open = True
    step.outcome = STEP_OUTCOME_UNSPECIFIED
    step.started_sequence = event.sequence
    step.finished_sequence = 0
    step.ClearField("error")
    step.ClearField("finish_time")


def _rewind(head: RunHead, event: RunEvent, time: Timestamp) -> None:
    step = head.steps.get(event.step_id)
    if step is None:
        raise invalid(f"rewind: step {event.step_id} has not started")
    if step.open or step.outcome in DONE_OUTCOMES:
        check_attempt(head, event.step_id, event.attempt)
        _lose(head, step, time)
    elif step.attempt != event.attempt:
        raise Refused(
            APPEND_OUTCOME_ATTEMPT_CLOSED,
            f"attempt {event.attempt} of step {event.step_id} is not the newest, which is {step.attempt}",
        )


def _lose(head: RunHead, step: StepRecord, time: Timestamp) -> None:
    step.open = False
    step.lost_attempts += 1
    step.finish_time.CopyFrom(time)
    head.waiting.discard(step.step_id)


def _step_finished(head: RunHead, event: RunEvent, time: Timestamp) -> None:
    step = head.steps.get(event.step_id)
    finished: StepFinished = event.step_finished
    if step is None:
        # Steps that never began end too: those not needed, and those given up before their first attempt.
        if finished.outcome == STEP_OUTCOME_SUCCEEDED:
            raise invalid(f"step_finished: step {event.step_id} has not started")
        step = head.begin_step(event.step_id)
        step.attempt = event.attempt
    else:
        check_attempt(head, event.step_id, event.attempt)
    step.open = False
    step.outcome = finished.outcome
    step.finished_sequence = event.sequence
    step.finish_time.CopyFrom(time)
    if finished.HasField("error"):
        step.error.CopyFrom(finished.error)
    head.waiting.discard(event.step_id)


def _see_whether_it_waits(head: RunHead) -> None:
    if head.state not in (RUN_STATE_RUNNING, RUN_STATE_WAITING):
        return
    waits = bool(head.waiting) and not any(step.open and step.step_id not in head.waiting for step in head.record.steps)
    head.record.run.state = RUN_STATE_WAITING if waits else RUN_STATE_RUNNING


def _run_finished(head: RunHead, event: RunEvent, time: Timestamp) -> None:
    run = head.record.run
    finished = event.run_finished
    if finished.output_step_id:
        step = head.steps.get(finished.output_step_id)
        if step is None or step.outcome != STEP_OUTCOME_SUCCEEDED:
            raise invalid(f"run_finished: step {finished.output_step_id} has no output")
        head.output_sequence = step.finished_sequence
    run.state = finished.state
    run.finish_time.CopyFrom(time)
    if finished.HasField("error"):
        run.error.CopyFrom(finished.error)
    for step in head.record.steps:
        step.open = False
    head.claimable = False


def _add_usage(total: Usage, more: Usage) -> None:
    try:
        total.input_tokens += more.input_tokens
        total.output_tokens += more.output_tokens
        total.cached_input_tokens += more.cached_input_tokens
        total.reasoning_tokens += more.reasoning_tokens
        total.model_requests += more.model_requests
    except ValueError as error:
        raise invalid("usage: the run's sum outgrows 64 bits") from error
