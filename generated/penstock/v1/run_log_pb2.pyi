import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from penstock.v1 import plan_pb2 as _plan_pb2
from penstock.v1 import run_pb2 as _run_pb2
from penstock.v1 import run_event_pb2 as _run_event_pb2
from penstock.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TailInclude(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TAIL_INCLUDE_UNSPECIFIED: _ClassVar[TailInclude]
    TAIL_INCLUDE_EVENTS: _ClassVar[TailInclude]
    TAIL_INCLUDE_LIFECYCLE: _ClassVar[TailInclude]
    TAIL_INCLUDE_SIGNALS: _ClassVar[TailInclude]

class RecordOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_OUTCOME_UNSPECIFIED: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_STARTED: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_QUEUED: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_EXISTING: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_DIFFERS: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_SESSION_BUSY: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_REFUSED: _ClassVar[RecordOutcome]

class AppendOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPEND_OUTCOME_UNSPECIFIED: _ClassVar[AppendOutcome]
    APPEND_OUTCOME_APPENDED: _ClassVar[AppendOutcome]
    APPEND_OUTCOME_REPEATED: _ClassVar[AppendOutcome]
    APPEND_OUTCOME_FENCED: _ClassVar[AppendOutcome]
    APPEND_OUTCOME_ATTEMPT_CLOSED: _ClassVar[AppendOutcome]
    APPEND_OUTCOME_STEP_FINISHED: _ClassVar[AppendOutcome]
    APPEND_OUTCOME_RUN_FINISHED: _ClassVar[AppendOutcome]
    APPEND_OUTCOME_NOT_FOUND: _ClassVar[AppendOutcome]
    APPEND_OUTCOME_OUT_OF_ORDER: _ClassVar[AppendOutcome]
    APPEND_OUTCOME_OVER_CAP: _ClassVar[AppendOutcome]
    APPEND_OUTCOME_INVALID: _ClassVar[AppendOutcome]
TAIL_INCLUDE_UNSPECIFIED: TailInclude
TAIL_INCLUDE_EVENTS: TailInclude
TAIL_INCLUDE_LIFECYCLE: TailInclude
TAIL_INCLUDE_SIGNALS: TailInclude
RECORD_OUTCOME_UNSPECIFIED: RecordOutcome
RECORD_OUTCOME_STARTED: RecordOutcome
RECORD_OUTCOME_QUEUED: RecordOutcome
RECORD_OUTCOME_EXISTING: RecordOutcome
RECORD_OUTCOME_DIFFERS: RecordOutcome
RECORD_OUTCOME_SESSION_BUSY: RecordOutcome
RECORD_OUTCOME_REFUSED: RecordOutcome
APPEND_OUTCOME_UNSPECIFIED: AppendOutcome
APPEND_OUTCOME_APPENDED: AppendOutcome
APPEND_OUTCOME_REPEATED: AppendOutcome
APPEND_OUTCOME_FENCED: AppendOutcome
APPEND_OUTCOME_ATTEMPT_CLOSED: AppendOutcome
APPEND_OUTCOME_STEP_FINISHED: AppendOutcome
APPEND_OUTCOME_RUN_FINISHED: AppendOutcome
APPEND_OUTCOME_NOT_FOUND: AppendOutcome
APPEND_OUTCOME_OUT_OF_ORDER: AppendOutcome
APPEND_OUTCOME_OVER_CAP: AppendOutcome
APPEND_OUTCOME_INVALID: AppendOutcome

class RunRecord(_message.Message):
    __slots__ = ("tenant", "run", "spec", "user", "request_id", "traceparent", "owner_instance_id", "epoch", "history_index", "checkpoints", "pending_signals", "steps", "cancel", "history_first_index")
    class CheckpointsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    OWNER_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HISTORY_INDEX_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    PENDING_SIGNALS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    run: _run_pb2.Run
    spec: _run_pb2.RunSpec
    user: str
    request_id: str
    traceparent: str
    owner_instance_id: str
    epoch: int
    history_index: int
    checkpoints: _containers.ScalarMap[str, bytes]
    pending_signals: _containers.RepeatedCompositeFieldContainer[PendingSignal]
    steps: _containers.RepeatedCompositeFieldContainer[StepRecord]
    cancel: _run_pb2.Signal.Cancel
    history_first_index: int
    def __init__(self, tenant: _Optional[str] = ..., run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ..., spec: _Optional[_Union[_run_pb2.RunSpec, _Mapping]] = ..., user: _Optional[str] = ..., request_id: _Optional[str] = ..., traceparent: _Optional[str] = ..., owner_instance_id: _Optional[str] = ..., epoch: _Optional[int] = ..., history_index: _Optional[int] = ..., checkpoints: _Optional[_Mapping[str, bytes]] = ..., pending_signals: _Optional[_Iterable[_Union[PendingSignal, _Mapping]]] = ..., steps: _Optional[_Iterable[_Union[StepRecord, _Mapping]]] = ..., cancel: _Optional[_Union[_run_pb2.Signal.Cancel, _Mapping]] = ..., history_first_index: _Optional[int] = ...) -> None: ...

class StepRecord(_message.Message):
    __slots__ = ("step_id", "attempt", "open", "outcome", "finished_sequence", "started_sequence", "error", "lost_attempts", "finish_time")
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FINISHED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STARTED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LOST_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    step_id: str
    attempt: int
    open: bool
    outcome: _run_event_pb2.StepOutcome
    finished_sequence: int
    started_sequence: int
    error: _status_pb2.Status
    lost_attempts: int
    finish_time: _timestamp_pb2.Timestamp
    def __init__(self, step_id: _Optional[str] = ..., attempt: _Optional[int] = ..., open: bool = ..., outcome: _Optional[_Union[_run_event_pb2.StepOutcome, str]] = ..., finished_sequence: _Optional[int] = ..., started_sequence: _Optional[int] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., lost_attempts: _Optional[int] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PendingSignal(_message.Message):
    __slots__ = ("signal_number", "signal_id", "signal")
    SIGNAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    signal_number: int
    signal_id: str
    signal: _run_pb2.Signal
    def __init__(self, signal_number: _Optional[int] = ..., signal_id: _Optional[str] = ..., signal: _Optional[_Union[_run_pb2.Signal, _Mapping]] = ...) -> None: ...

class RecordRunsRequest(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[RecordRunsEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[RecordRunsEntry, _Mapping]]] = ...) -> None: ...

class RecordRunsEntry(_message.Message):
    __slots__ = ("tenant", "run_id", "spec", "plan", "user", "request_id", "traceparent", "owner_instance_id", "events", "session_messages")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    OWNER_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    SESSION_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    run_id: str
    spec: _run_pb2.RunSpec
    plan: _plan_pb2.Plan
    user: str
    request_id: str
    traceparent: str
    owner_instance_id: str
    events: _containers.RepeatedCompositeFieldContainer[_run_event_pb2.RunEvent]
    session_messages: _containers.RepeatedCompositeFieldContainer[_session_pb2.SessionMessage]
    def __init__(self, tenant: _Optional[str] = ..., run_id: _Optional[str] = ..., spec: _Optional[_Union[_run_pb2.RunSpec, _Mapping]] = ..., plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., user: _Optional[str] = ..., request_id: _Optional[str] = ..., traceparent: _Optional[str] = ..., owner_instance_id: _Optional[str] = ..., events: _Optional[_Iterable[_Union[_run_event_pb2.RunEvent, _Mapping]]] = ..., session_messages: _Optional[_Iterable[_Union[_session_pb2.SessionMessage, _Mapping]]] = ...) -> None: ...

class RecordRunsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RecordRunsResult]
    def __init__(self, results: _Optional[_Iterable[_Union[RecordRunsResult, _Mapping]]] = ...) -> None: ...

class RecordRunsResult(_message.Message):
    __slots__ = ("outcome", "record", "busy_run_id", "refusal", "interrupted_run_ids", "durable")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    BUSY_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_RUN_IDS_FIELD_NUMBER: _ClassVar[int]
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    outcome: RecordOutcome
    record: RunRecord
    busy_run_id: str
    refusal: _status_pb2.Status
    interrupted_run_ids: _containers.RepeatedScalarFieldContainer[str]
    durable: bool
    def __init__(self, outcome: _Optional[_Union[RecordOutcome, str]] = ..., record: _Optional[_Union[RunRecord, _Mapping]] = ..., busy_run_id: _Optional[str] = ..., refusal: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., interrupted_run_ids: _Optional[_Iterable[str]] = ..., durable: bool = ...) -> None: ...

class ReadRunsRequest(_message.Message):
    __slots__ = ("runs", "run_only")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    RUN_ONLY_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[RunName]
    run_only: bool
    def __init__(self, runs: _Optional[_Iterable[_Union[RunName, _Mapping]]] = ..., run_only: bool = ...) -> None: ...

class RunName(_message.Message):
    __slots__ = ("tenant", "run_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    run_id: str
    def __init__(self, tenant: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class ReadRunsResponse(_message.Message):
    __slots__ = ("records", "left_out")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[RunRecord]
    left_out: _containers.RepeatedCompositeFieldContainer[RunName]
    def __init__(self, records: _Optional[_Iterable[_Union[RunRecord, _Mapping]]] = ..., left_out: _Optional[_Iterable[_Union[RunName, _Mapping]]] = ...) -> None: ...

class FindRunsRequest(_message.Message):
    __slots__ = ("tenant", "page_size", "page_token", "session_id", "states", "labels", "created_after_time", "created_before_time")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AFTER_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_TIME_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    page_size: int
    page_token: str
    session_id: str
    states: _containers.RepeatedScalarFieldContainer[_run_pb2.RunState]
    labels: _containers.ScalarMap[str, str]
    created_after_time: _timestamp_pb2.Timestamp
    created_before_time: _timestamp_pb2.Timestamp
    def __init__(self, tenant: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., session_id: _Optional[str] = ..., states: _Optional[_Iterable[_Union[_run_pb2.RunState, str]]] = ..., labels: _Optional[_Mapping[str, str]] = ..., created_after_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_before_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FindRunsResponse(_message.Message):
    __slots__ = ("runs", "next_page_token")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_run_pb2.Run]
    next_page_token: str
    def __init__(self, runs: _Optional[_Iterable[_Union[_run_pb2.Run, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AppendEventsRequest(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AppendEventsEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[AppendEventsEntry, _Mapping]]] = ...) -> None: ...

class AppendEventsEntry(_message.Message):
    __slots__ = ("tenant", "run_id", "epoch", "step_id", "attempt", "writer_id", "writer_sequence", "events", "checkpoint", "session_messages", "traceparent", "durability")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WRITER_ID_FIELD_NUMBER: _ClassVar[int]
    WRITER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    SESSION_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    run_id: str
    epoch: int
    step_id: str
    attempt: int
    writer_id: str
    writer_sequence: int
    events: _containers.RepeatedCompositeFieldContainer[_run_event_pb2.RunEvent]
    checkpoint: bytes
    session_messages: _containers.RepeatedCompositeFieldContainer[_session_pb2.SessionMessage]
    traceparent: str
    durability: _run_pb2.Durability
    def __init__(self, tenant: _Optional[str] = ..., run_id: _Optional[str] = ..., epoch: _Optional[int] = ..., step_id: _Optional[str] = ..., attempt: _Optional[int] = ..., writer_id: _Optional[str] = ..., writer_sequence: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_run_event_pb2.RunEvent, _Mapping]]] = ..., checkpoint: _Optional[bytes] = ..., session_messages: _Optional[_Iterable[_Union[_session_pb2.SessionMessage, _Mapping]]] = ..., traceparent: _Optional[str] = ..., durability: _Optional[_Union[_run_pb2.Durability, str]] = ...) -> None: ...

class AppendEventsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[AppendEventsResult]
    def __init__(self, results: _Optional[_Iterable[_Union[AppendEventsResult, _Mapping]]] = ...) -> None: ...

class AppendEventsResult(_message.Message):
    __slots__ = ("outcome", "first_sequence", "last_sequence", "durable_sequence", "generation", "detail")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DURABLE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    outcome: AppendOutcome
    first_sequence: int
    last_sequence: int
    durable_sequence: int
    generation: int
    detail: str
    def __init__(self, outcome: _Optional[_Union[AppendOutcome, str]] = ..., first_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ..., durable_sequence: _Optional[int] = ..., generation: _Optional[int] = ..., detail: _Optional[str] = ...) -> None: ...

class ReadEventsRequest(_message.Message):
    __slots__ = ("tenant", "run_id", "generation", "after_sequence", "follow", "include")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    run_id: str
    generation: int
    after_sequence: int
    follow: bool
    include: _containers.RepeatedScalarFieldContainer[TailInclude]
    def __init__(self, tenant: _Optional[str] = ..., run_id: _Optional[str] = ..., generation: _Optional[int] = ..., after_sequence: _Optional[int] = ..., follow: bool = ..., include: _Optional[_Iterable[_Union[TailInclude, str]]] = ...) -> None: ...

class ReadEventsResponse(_message.Message):
    __slots__ = ("events", "generation", "durable_sequence")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    DURABLE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_run_event_pb2.RunEvent]
    generation: int
    durable_sequence: int
    def __init__(self, events: _Optional[_Iterable[_Union[_run_event_pb2.RunEvent, _Mapping]]] = ..., generation: _Optional[int] = ..., durable_sequence: _Optional[int] = ...) -> None: ...

class TailEventsRequest(_message.Message):
    __slots__ = ("opens", "credits", "closes")
    OPENS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    CLOSES_FIELD_NUMBER: _ClassVar[int]
    opens: _containers.RepeatedCompositeFieldContainer[TailOpen]
    credits: _containers.RepeatedCompositeFieldContainer[TailCredit]
    closes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, opens: _Optional[_Iterable[_Union[TailOpen, _Mapping]]] = ..., credits: _Optional[_Iterable[_Union[TailCredit, _Mapping]]] = ..., closes: _Optional[_Iterable[int]] = ...) -> None: ...

class TailOpen(_message.Message):
    __slots__ = ("tail_id", "tenant", "run_id", "generation", "after_sequence", "include", "credit_bytes")
    TAIL_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    tail_id: int
    tenant: str
    run_id: str
    generation: int
    after_sequence: int
    include: _containers.RepeatedScalarFieldContainer[TailInclude]
    credit_bytes: int
    def __init__(self, tail_id: _Optional[int] = ..., tenant: _Optional[str] = ..., run_id: _Optional[str] = ..., generation: _Optional[int] = ..., after_sequence: _Optional[int] = ..., include: _Optional[_Iterable[_Union[TailInclude, str]]] = ..., credit_bytes: _Optional[int] = ...) -> None: ...

class TailCredit(_message.Message):
    __slots__ = ("tail_id", "credit_bytes")
    TAIL_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    tail_id: int
    credit_bytes: int
    def __init__(self, tail_id: _Optional[int] = ..., credit_bytes: _Optional[int] = ...) -> None: ...

class TailEventsResponse(_message.Message):
    __slots__ = ("batches",)
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    batches: _containers.RepeatedCompositeFieldContainer[TailBatch]
    def __init__(self, batches: _Optional[_Iterable[_Union[TailBatch, _Mapping]]] = ...) -> None: ...

class TailBatch(_message.Message):
    __slots__ = ("events", "generation", "durable_sequence", "tail_id", "signals", "closed", "error", "run", "used_bytes")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    DURABLE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TAIL_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_run_event_pb2.RunEvent]
    generation: int
    durable_sequence: int
    tail_id: int
    signals: _containers.RepeatedCompositeFieldContainer[PendingSignal]
    closed: bool
    error: _status_pb2.Status
    run: _run_pb2.Run
    used_bytes: int
    def __init__(self, events: _Optional[_Iterable[_Union[_run_event_pb2.RunEvent, _Mapping]]] = ..., generation: _Optional[int] = ..., durable_sequence: _Optional[int] = ..., tail_id: _Optional[int] = ..., signals: _Optional[_Iterable[_Union[PendingSignal, _Mapping]]] = ..., closed: bool = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ..., used_bytes: _Optional[int] = ...) -> None: ...
