import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from penstock.v1 import run_pb2 as _run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StepOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_OUTCOME_UNSPECIFIED: _ClassVar[StepOutcome]
    STEP_OUTCOME_SUCCEEDED: _ClassVar[StepOutcome]
    STEP_OUTCOME_FAILED: _ClassVar[StepOutcome]
    STEP_OUTCOME_CANCELLED: _ClassVar[StepOutcome]
    STEP_OUTCOME_SKIPPED: _ClassVar[StepOutcome]
    STEP_OUTCOME_ABANDONED: _ClassVar[StepOutcome]

class ToolOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOOL_OUTCOME_UNSPECIFIED: _ClassVar[ToolOutcome]
    TOOL_OUTCOME_SUCCEEDED: _ClassVar[ToolOutcome]
    TOOL_OUTCOME_FAILED: _ClassVar[ToolOutcome]
    TOOL_OUTCOME_INVALID_ARGUMENTS: _ClassVar[ToolOutcome]
    TOOL_OUTCOME_TIMED_OUT: _ClassVar[ToolOutcome]
    TOOL_OUTCOME_UNKNOWN: _ClassVar[ToolOutcome]
    TOOL_OUTCOME_NOT_CALLED: _ClassVar[ToolOutcome]

class Effect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFECT_UNSPECIFIED: _ClassVar[Effect]
    EFFECT_NONE: _ClassVar[Effect]
    EFFECT_IDEMPOTENT: _ClassVar[Effect]
    EFFECT_ONCE: _ClassVar[Effect]
STEP_OUTCOME_UNSPECIFIED: StepOutcome
STEP_OUTCOME_SUCCEEDED: StepOutcome
STEP_OUTCOME_FAILED: StepOutcome
STEP_OUTCOME_CANCELLED: StepOutcome
STEP_OUTCOME_SKIPPED: StepOutcome
STEP_OUTCOME_ABANDONED: StepOutcome
TOOL_OUTCOME_UNSPECIFIED: ToolOutcome
TOOL_OUTCOME_SUCCEEDED: ToolOutcome
TOOL_OUTCOME_FAILED: ToolOutcome
TOOL_OUTCOME_INVALID_ARGUMENTS: ToolOutcome
TOOL_OUTCOME_TIMED_OUT: ToolOutcome
TOOL_OUTCOME_UNKNOWN: ToolOutcome
TOOL_OUTCOME_NOT_CALLED: ToolOutcome
EFFECT_UNSPECIFIED: Effect
EFFECT_NONE: Effect
EFFECT_IDEMPOTENT: Effect
EFFECT_ONCE: Effect

class RunEvent(_message.Message):
    __slots__ = ("sequence", "time", "step_id", "attempt", "run_started", "step_started", "token", "progress", "tool_call", "tool_claimed", "tool_result", "usage", "turn_finished", "custom", "rewind", "waiting", "signal", "step_finished", "run_finished")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RUN_STARTED_FIELD_NUMBER: _ClassVar[int]
    STEP_STARTED_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_FIELD_NUMBER: _ClassVar[int]
    TOOL_CLAIMED_FIELD_NUMBER: _ClassVar[int]
    TOOL_RESULT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    TURN_FINISHED_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_FIELD_NUMBER: _ClassVar[int]
    REWIND_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    STEP_FINISHED_FIELD_NUMBER: _ClassVar[int]
    RUN_FINISHED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    time: _timestamp_pb2.Timestamp
    step_id: str
    attempt: int
    run_started: RunStarted
    step_started: StepStarted
    token: Token
    progress: Progress
    tool_call: ToolCall
    tool_claimed: ToolClaimed
    tool_result: ToolResult
    usage: _run_pb2.Usage
    turn_finished: TurnFinished
    custom: Custom
    rewind: Rewind
    waiting: Waiting
    signal: SignalTaken
    step_finished: StepFinished
    run_finished: RunFinished
    def __init__(self, sequence: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., step_id: _Optional[str] = ..., attempt: _Optional[int] = ..., run_started: _Optional[_Union[RunStarted, _Mapping]] = ..., step_started: _Optional[_Union[StepStarted, _Mapping]] = ..., token: _Optional[_Union[Token, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., tool_call: _Optional[_Union[ToolCall, _Mapping]] = ..., tool_claimed: _Optional[_Union[ToolClaimed, _Mapping]] = ..., tool_result: _Optional[_Union[ToolResult, _Mapping]] = ..., usage: _Optional[_Union[_run_pb2.Usage, _Mapping]] = ..., turn_finished: _Optional[_Union[TurnFinished, _Mapping]] = ..., custom: _Optional[_Union[Custom, _Mapping]] = ..., rewind: _Optional[_Union[Rewind, _Mapping]] = ..., waiting: _Optional[_Union[Waiting, _Mapping]] = ..., signal: _Optional[_Union[SignalTaken, _Mapping]] = ..., step_finished: _Optional[_Union[StepFinished, _Mapping]] = ..., run_finished: _Optional[_Union[RunFinished, _Mapping]] = ...) -> None: ...

class RunStarted(_message.Message):
    __slots__ = ("history_index", "history_first_index")
    HISTORY_INDEX_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    history_index: int
    history_first_index: int
    def __init__(self, history_index: _Optional[int] = ..., history_first_index: _Optional[int] = ...) -> None: ...

class StepStarted(_message.Message):
    __slots__ = ("agent", "tool", "workflow")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    agent: str
    tool: str
    workflow: str
    def __init__(self, agent: _Optional[str] = ..., tool: _Optional[str] = ..., workflow: _Optional[str] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("text", "reasoning")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    text: str
    reasoning: str
    def __init__(self, text: _Optional[str] = ..., reasoning: _Optional[str] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("message", "fraction")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    message: str
    fraction: float
    def __init__(self, message: _Optional[str] = ..., fraction: _Optional[float] = ...) -> None: ...

class ToolCall(_message.Message):
    __slots__ = ("call_id", "ordinal", "tool", "arguments_json")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    ordinal: int
    tool: str
    arguments_json: str
    def __init__(self, call_id: _Optional[str] = ..., ordinal: _Optional[int] = ..., tool: _Optional[str] = ..., arguments_json: _Optional[str] = ...) -> None: ...

class ToolClaimed(_message.Message):
    __slots__ = ("call_id", "idempotency_key", "effect")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    idempotency_key: str
    effect: Effect
    def __init__(self, call_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., effect: _Optional[_Union[Effect, str]] = ...) -> None: ...

class ToolResult(_message.Message):
    __slots__ = ("call_id", "outcome", "result_json", "error", "duration", "from_record")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    FROM_RECORD_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    outcome: ToolOutcome
    result_json: str
    error: _status_pb2.Status
    duration: _duration_pb2.Duration
    from_record: bool
    def __init__(self, call_id: _Optional[str] = ..., outcome: _Optional[_Union[ToolOutcome, str]] = ..., result_json: _Optional[str] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., from_record: bool = ...) -> None: ...

class TurnFinished(_message.Message):
    __slots__ = ("turn",)
    TURN_FIELD_NUMBER: _ClassVar[int]
    turn: int
    def __init__(self, turn: _Optional[int] = ...) -> None: ...

class Custom(_message.Message):
    __slots__ = ("name", "payload_json")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_JSON_FIELD_NUMBER: _ClassVar[int]
    name: str
    payload_json: str
    def __init__(self, name: _Optional[str] = ..., payload_json: _Optional[str] = ...) -> None: ...

class Rewind(_message.Message):
    __slots__ = ("from_sequence", "cause")
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    from_sequence: int
    cause: _status_pb2.Status
    def __init__(self, from_sequence: _Optional[int] = ..., cause: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class Waiting(_message.Message):
    __slots__ = ("approval", "signal", "until_time")
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    approval: str
    signal: str
    until_time: _timestamp_pb2.Timestamp
    def __init__(self, approval: _Optional[str] = ..., signal: _Optional[str] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SignalTaken(_message.Message):
    __slots__ = ("signal_number", "signal")
    SIGNAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    signal_number: int
    signal: _run_pb2.Signal
    def __init__(self, signal_number: _Optional[int] = ..., signal: _Optional[_Union[_run_pb2.Signal, _Mapping]] = ...) -> None: ...

class StepFinished(_message.Message):
    __slots__ = ("outcome", "output", "error")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    outcome: StepOutcome
    output: _containers.RepeatedCompositeFieldContainer[_run_pb2.Content]
    error: _status_pb2.Status
    def __init__(self, outcome: _Optional[_Union[StepOutcome, str]] = ..., output: _Optional[_Iterable[_Union[_run_pb2.Content, _Mapping]]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class RunFinished(_message.Message):
    __slots__ = ("state", "error", "output_step_id")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_STEP_ID_FIELD_NUMBER: _ClassVar[int]
    state: _run_pb2.RunState
    error: _status_pb2.Status
    output_step_id: str
    def __init__(self, state: _Optional[_Union[_run_pb2.RunState, str]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., output_step_id: _Optional[str] = ...) -> None: ...
