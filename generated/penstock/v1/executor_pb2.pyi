import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.rpc import status_pb2 as _status_pb2
from penstock.v1 import run_pb2 as _run_pb2
from penstock.v1 import run_event_pb2 as _run_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecuteOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXECUTE_OUTCOME_UNSPECIFIED: _ClassVar[ExecuteOutcome]
    EXECUTE_OUTCOME_SUCCEEDED: _ClassVar[ExecuteOutcome]
    EXECUTE_OUTCOME_FAILED: _ClassVar[ExecuteOutcome]
    EXECUTE_OUTCOME_FENCED: _ClassVar[ExecuteOutcome]
EXECUTE_OUTCOME_UNSPECIFIED: ExecuteOutcome
EXECUTE_OUTCOME_SUCCEEDED: ExecuteOutcome
EXECUTE_OUTCOME_FAILED: ExecuteOutcome
EXECUTE_OUTCOME_FENCED: ExecuteOutcome

class ExecuteRequest(_message.Message):
    __slots__ = ("run_id", "epoch", "step_id", "attempt", "agent", "tool", "input", "results", "session_id", "history_index", "timeout", "durability", "finish_run", "history_first_index")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_INDEX_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    FINISH_RUN_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    epoch: int
    step_id: str
    attempt: int
    agent: AgentWork
    tool: ToolWork
    input: _containers.RepeatedCompositeFieldContainer[_run_pb2.Content]
    results: _containers.RepeatedCompositeFieldContainer[StepResult]
    session_id: str
    history_index: int
    timeout: _duration_pb2.Duration
    durability: _run_pb2.Durability
    finish_run: bool
    history_first_index: int
    def __init__(self, run_id: _Optional[str] = ..., epoch: _Optional[int] = ..., step_id: _Optional[str] = ..., attempt: _Optional[int] = ..., agent: _Optional[_Union[AgentWork, _Mapping]] = ..., tool: _Optional[_Union[ToolWork, _Mapping]] = ..., input: _Optional[_Iterable[_Union[_run_pb2.Content, _Mapping]]] = ..., results: _Optional[_Iterable[_Union[StepResult, _Mapping]]] = ..., session_id: _Optional[str] = ..., history_index: _Optional[int] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., durability: _Optional[_Union[_run_pb2.Durability, str]] = ..., finish_run: bool = ..., history_first_index: _Optional[int] = ...) -> None: ...

class AgentWork(_message.Message):
    __slots__ = ("agent", "task")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    agent: str
    task: str
    def __init__(self, agent: _Optional[str] = ..., task: _Optional[str] = ...) -> None: ...

class ToolWork(_message.Message):
    __slots__ = ("tool", "arguments_json")
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    tool: str
    arguments_json: str
    def __init__(self, tool: _Optional[str] = ..., arguments_json: _Optional[str] = ...) -> None: ...

class StepResult(_message.Message):
    __slots__ = ("step_id", "output")
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    step_id: str
    output: _containers.RepeatedCompositeFieldContainer[_run_pb2.Content]
    def __init__(self, step_id: _Optional[str] = ..., output: _Optional[_Iterable[_Union[_run_pb2.Content, _Mapping]]] = ...) -> None: ...

class ExecuteResponse(_message.Message):
    __slots__ = ("outcome", "error", "output", "last_sequence", "run_finished")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RUN_FINISHED_FIELD_NUMBER: _ClassVar[int]
    outcome: ExecuteOutcome
    error: _status_pb2.Status
    output: _containers.RepeatedCompositeFieldContainer[_run_pb2.Content]
    last_sequence: int
    run_finished: bool
    def __init__(self, outcome: _Optional[_Union[ExecuteOutcome, str]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., output: _Optional[_Iterable[_Union[_run_pb2.Content, _Mapping]]] = ..., last_sequence: _Optional[int] = ..., run_finished: bool = ...) -> None: ...

class StreamExecuteRequest(_message.Message):
    __slots__ = ("agent", "input", "session_id")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    agent: AgentWork
    input: _containers.RepeatedCompositeFieldContainer[_run_pb2.Content]
    session_id: str
    def __init__(self, agent: _Optional[_Union[AgentWork, _Mapping]] = ..., input: _Optional[_Iterable[_Union[_run_pb2.Content, _Mapping]]] = ..., session_id: _Optional[str] = ...) -> None: ...

class StreamExecuteResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_run_event_pb2.RunEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[_run_event_pb2.RunEvent, _Mapping]]] = ...) -> None: ...

class DescribeAgentsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeAgentsResponse(_message.Message):
    __slots__ = ("agents", "instance_id")
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    agents: _containers.RepeatedCompositeFieldContainer[AgentDescription]
    instance_id: str
    def __init__(self, agents: _Optional[_Iterable[_Union[AgentDescription, _Mapping]]] = ..., instance_id: _Optional[str] = ...) -> None: ...

class AgentDescription(_message.Message):
    __slots__ = ("name", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...
