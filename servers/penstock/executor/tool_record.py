"""`ToolRecord`: what earlier attempts of a step asked of tools, and what came of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from penstock.executor.step_attempt import Attempt
from penstock.v1 import run_event_pb2 as events
from penstock.v1 import run_log_pb2

if TYPE_CHECKING:
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub

REPEATABLE: Final = frozenset({events.EFFECT_NONE, events.EFFECT_IDEMPOTENT})
_NOTHING_RAN: Final = frozenset({events.TOOL_OUTCOME_INVALID_ARGUMENTS, events.TOOL_OUTCOME_NOT_CALLED})


@dataclass(slots=True, eq=False)
class RecordedCall:
    """Represents one call of an earlier attempt, as far as it came."""

    attempt: int
    call: events.ToolCall
    claim: events.ToolClaimed | None = None
    result: events.ToolResult | None = None
    attempt_failed: bool = False

    def is_of(self, tool: str, arguments_json: str) -> bool:
        """Tells whether this was the same call."""
        return self.call.tool == tool and self.call.arguments_json == arguments_json

    @property
    def may_have_had_effect(self) -> bool:
        """Whether repeating it could do harm."""
        if self.claim is None or self.claim.effect in REPEATABLE:
            return False
        return self.result is None or self.result.outcome not in _NOTHING_RAN

    @property
    def settles(self) -> bool:
        """Whether its result answers the same call of a later attempt.

        A result does, so that an agent whose executor died is led the same way again. But where the attempt itself
        ended as failed, another attempt is meant to try again what failed, if that can do no harm.
        """
        if self.result is None:
            return False
        succeeded = self.result.outcome == events.TOOL_OUTCOME_SUCCEEDED
        return succeeded or self.may_have_had_effect or not self.attempt_failed


class ToolRecord:
    """Answers the calls of a later attempt from those of the earlier ones."""

    def __init__(self, calls: Iterable[RecordedCall] = ()) -> None:
        self._by_ordinal: dict[int, list[RecordedCall]] = defaultdict(list)
        self._last_effect = 0
        for call in calls:
            self._by_ordinal[call.call.ordinal].append(call)
            if call.may_have_had_effect:
                self._last_effect = max(self._last_effect, call.call.ordinal)

    def find(self, ordinal: int, tool: str, arguments_json: str) -> RecordedCall | None:
        """Returns the record of the same call: the newest that has a result, else the newest that was claimed."""
        same = [call for call in self._by_ordinal.get(ordinal, ()) if call.is_of(tool, arguments_json)]
        return max(same, key=lambda c: (c.result is not None, c.claim is not None, c.attempt), default=None)

    def diverges_before_effects(self, ordinal: int) -> bool:
        """Tells whether other calls stand at this place, and effects happened there or later."""
        return bool(self._by_ordinal.get(ordinal)) and self._last_effect >= ordinal


async def read_record(run_log: RunLogServiceAsyncStub, attempt: Attempt) -> ToolRecord:
    """Reads what the attempts of a step before this one have recorded."""
    if attempt.attempt <= 1:
        return ToolRecord()
    request = run_log_pb2.ReadEventsRequest(
        tenant=attempt.tenant, run_id=attempt.run_id, include=[run_log_pb2.TAIL_INCLUDE_LIFECYCLE]
    )
    calls: dict[tuple[int, str], RecordedCall] = {}
    stream = run_log.ReadEvents(request)
    try:
        async for batch in stream:
            for event in batch.events:
                if event.step_id == attempt.step_id and event.attempt < attempt.attempt:
                    _note(calls, event)
    finally:
        stream.cancel()
    return ToolRecord(calls.values())


def _note(calls: dict[tuple[int, str], RecordedCall], event: events.RunEvent) -> None:
    match event.WhichOneof("event"):
        case "tool_call":
            calls[event.attempt, event.tool_call.call_id] = RecordedCall(event.attempt, event.tool_call)
        case "tool_claimed" if call := calls.get((event.attempt, event.tool_claimed.call_id)):
            call.claim = event.tool_claimed
        case "tool_result" if call := calls.get((event.attempt, event.tool_result.call_id)):
            call.result = event.tool_result
        case "step_finished":
            for call in calls.values():
                if call.attempt == event.attempt:
                    call.attempt_failed = True
