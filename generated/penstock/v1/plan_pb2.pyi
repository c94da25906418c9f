import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Plan(_message.Message):
    __slots__ = ("steps", "sequential")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SEQUENTIAL_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    sequential: bool
    def __init__(self, steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., sequential: bool = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("step_id", "needs", "when", "timeout", "retry", "agent", "tool", "branch", "fan_out", "wait", "workflow")
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    FAN_OUT_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    step_id: str
    needs: _containers.RepeatedScalarFieldContainer[str]
    when: When
    timeout: _duration_pb2.Duration
    retry: RetryPolicy
    agent: AgentStep
    tool: ToolStep
    branch: BranchStep
    fan_out: FanOutStep
    wait: WaitStep
    workflow: WorkflowStep
    def __init__(self, step_id: _Optional[str] = ..., needs: _Optional[_Iterable[str]] = ..., when: _Optional[_Union[When, _Mapping]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., retry: _Optional[_Union[RetryPolicy, _Mapping]] = ..., agent: _Optional[_Union[AgentStep, _Mapping]] = ..., tool: _Optional[_Union[ToolStep, _Mapping]] = ..., branch: _Optional[_Union[BranchStep, _Mapping]] = ..., fan_out: _Optional[_Union[FanOutStep, _Mapping]] = ..., wait: _Optional[_Union[WaitStep, _Mapping]] = ..., workflow: _Optional[_Union[WorkflowStep, _Mapping]] = ...) -> None: ...

class When(_message.Message):
    __slots__ = ("step_id", "cases")
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    CASES_FIELD_NUMBER: _ClassVar[int]
    step_id: str
    cases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, step_id: _Optional[str] = ..., cases: _Optional[_Iterable[str]] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("max_attempts", "initial_backoff", "max_backoff", "backoff_multiplier")
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    INITIAL_BACKOFF_FIELD_NUMBER: _ClassVar[int]
    MAX_BACKOFF_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    max_attempts: int
    initial_backoff: _duration_pb2.Duration
    max_backoff: _duration_pb2.Duration
    backoff_multiplier: float
    def __init__(self, max_attempts: _Optional[int] = ..., initial_backoff: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_backoff: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., backoff_multiplier: _Optional[float] = ...) -> None: ...

class AgentStep(_message.Message):
    __slots__ = ("agent", "task")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    agent: str
    task: str
    def __init__(self, agent: _Optional[str] = ..., task: _Optional[str] = ...) -> None: ...

class ToolStep(_message.Message):
    __slots__ = ("tool", "arguments")
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    tool: str
    arguments: _struct_pb2.Value
    def __init__(self, tool: _Optional[str] = ..., arguments: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class BranchStep(_message.Message):
    __slots__ = ("value", "cases", "otherwise")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CASES_FIELD_NUMBER: _ClassVar[int]
    OTHERWISE_FIELD_NUMBER: _ClassVar[int]
    value: str
    cases: _containers.RepeatedCompositeFieldContainer[BranchCase]
    otherwise: str
    def __init__(self, value: _Optional[str] = ..., cases: _Optional[_Iterable[_Union[BranchCase, _Mapping]]] = ..., otherwise: _Optional[str] = ...) -> None: ...

class BranchCase(_message.Message):
    __slots__ = ("name", "equals")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EQUALS_FIELD_NUMBER: _ClassVar[int]
    name: str
    equals: _struct_pb2.Value
    def __init__(self, name: _Optional[str] = ..., equals: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class FanOutStep(_message.Message):
    __slots__ = ("items", "max_concurrent", "agent", "tool", "workflow")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    items: str
    max_concurrent: int
    agent: AgentStep
    tool: ToolStep
    workflow: WorkflowStep
    def __init__(self, items: _Optional[str] = ..., max_concurrent: _Optional[int] = ..., agent: _Optional[_Union[AgentStep, _Mapping]] = ..., tool: _Optional[_Union[ToolStep, _Mapping]] = ..., workflow: _Optional[_Union[WorkflowStep, _Mapping]] = ...) -> None: ...

class WaitStep(_message.Message):
    __slots__ = ("approval", "signal", "duration", "until_time")
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    approval: str
    signal: str
    duration: _duration_pb2.Duration
    until_time: _timestamp_pb2.Timestamp
    def __init__(self, approval: _Optional[str] = ..., signal: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WorkflowStep(_message.Message):
    __slots__ = ("workflow", "input")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    input: str
    def __init__(self, workflow: _Optional[str] = ..., input: _Optional[str] = ...) -> None: ...
