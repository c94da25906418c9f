import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from penstock.v1 import event_pb2 as _event_pb2
from penstock.v1 import run_pb2 as _run_pb2
from penstock.v1 import run_event_pb2 as _run_event_pb2
from penstock.v1 import run_log_pb2 as _run_log_pb2
from penstock.v1 import session_pb2 as _session_pb2
from penstock.v1 import state_pb2 as _state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImportOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMPORT_OUTCOME_UNSPECIFIED: _ClassVar[ImportOutcome]
    IMPORT_OUTCOME_WRITTEN: _ClassVar[ImportOutcome]
    IMPORT_OUTCOME_PRESENT: _ClassVar[ImportOutcome]
    IMPORT_OUTCOME_CONFLICT: _ClassVar[ImportOutcome]
    IMPORT_OUTCOME_EXPIRED: _ClassVar[ImportOutcome]
IMPORT_OUTCOME_UNSPECIFIED: ImportOutcome
IMPORT_OUTCOME_WRITTEN: ImportOutcome
IMPORT_OUTCOME_PRESENT: ImportOutcome
IMPORT_OUTCOME_CONFLICT: ImportOutcome
IMPORT_OUTCOME_EXPIRED: ImportOutcome

class GetStoreStatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStoreStatsResponse(_message.Message):
    __slots__ = ("engine", "place", "schema_version", "durability", "generation", "time", "figures", "oldest_run_time", "oldest_unfinished_run_time")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    OLDEST_RUN_TIME_FIELD_NUMBER: _ClassVar[int]
    OLDEST_UNFINISHED_RUN_TIME_FIELD_NUMBER: _ClassVar[int]
    engine: str
    place: str
    schema_version: int
    durability: _run_pb2.Durability
    generation: int
    time: _timestamp_pb2.Timestamp
    figures: _containers.RepeatedCompositeFieldContainer[StoreFigure]
    oldest_run_time: _timestamp_pb2.Timestamp
    oldest_unfinished_run_time: _timestamp_pb2.Timestamp
    def __init__(self, engine: _Optional[str] = ..., place: _Optional[str] = ..., schema_version: _Optional[int] = ..., durability: _Optional[_Union[_run_pb2.Durability, str]] = ..., generation: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., figures: _Optional[_Iterable[_Union[StoreFigure, _Mapping]]] = ..., oldest_run_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., oldest_unfinished_run_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class StoreFigure(_message.Message):
    __slots__ = ("name", "count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    count: int
    def __init__(self, name: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class CheckStoreRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CheckStoreResponse(_message.Message):
    __slots__ = ("problems", "looking_at", "looked_at", "complete")
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    LOOKING_AT_FIELD_NUMBER: _ClassVar[int]
    LOOKED_AT_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[StoreProblem]
    looking_at: str
    looked_at: int
    complete: bool
    def __init__(self, problems: _Optional[_Iterable[_Union[StoreProblem, _Mapping]]] = ..., looking_at: _Optional[str] = ..., looked_at: _Optional[int] = ..., complete: bool = ...) -> None: ...

class StoreProblem(_message.Message):
    __slots__ = ("kind", "detail", "remedy")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    kind: str
    detail: str
    remedy: str
    def __init__(self, kind: _Optional[str] = ..., detail: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class VacuumStoreRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VacuumStoreResponse(_message.Message):
    __slots__ = ("freed_bytes", "left_bytes", "note")
    FREED_BYTES_FIELD_NUMBER: _ClassVar[int]
    LEFT_BYTES_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    freed_bytes: int
    left_bytes: int
    note: str
    def __init__(self, freed_bytes: _Optional[int] = ..., left_bytes: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class ExportRecordsRequest(_message.Message):
    __slots__ = ("after_cursor",)
    AFTER_CURSOR_FIELD_NUMBER: _ClassVar[int]
    after_cursor: str
    def __init__(self, after_cursor: _Optional[str] = ...) -> None: ...

class ExportRecordsResponse(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[StoreRecord]
    def __init__(self, records: _Optional[_Iterable[_Union[StoreRecord, _Mapping]]] = ...) -> None: ...

class StoreRecord(_message.Message):
    __slots__ = ("cursor", "header", "value", "session", "messages", "events", "run", "topic", "topic_events", "end")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TOPIC_EVENTS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    header: ExportHeader
    value: ExportedValue
    session: ExportedSession
    messages: ExportedMessages
    events: ExportedEvents
    run: ExportedRun
    topic: ExportedTopic
    topic_events: ExportedTopicEvents
    end: ExportEnd
    def __init__(self, cursor: _Optional[str] = ..., header: _Optional[_Union[ExportHeader, _Mapping]] = ..., value: _Optional[_Union[ExportedValue, _Mapping]] = ..., session: _Optional[_Union[ExportedSession, _Mapping]] = ..., messages: _Optional[_Union[ExportedMessages, _Mapping]] = ..., events: _Optional[_Union[ExportedEvents, _Mapping]] = ..., run: _Optional[_Union[ExportedRun, _Mapping]] = ..., topic: _Optional[_Union[ExportedTopic, _Mapping]] = ..., topic_events: _Optional[_Union[ExportedTopicEvents, _Mapping]] = ..., end: _Optional[_Union[ExportEnd, _Mapping]] = ...) -> None: ...

class ExportHeader(_message.Message):
    __slots__ = ("format_version", "time", "engine")
    FORMAT_VERSION_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    format_version: int
    time: _timestamp_pb2.Timestamp
    engine: str
    def __init__(self, format_version: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., engine: _Optional[str] = ...) -> None: ...

class ExportEnd(_message.Message):
    __slots__ = ("time",)
    TIME_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ExportedValue(_message.Message):
    __slots__ = ("tenant", "value")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    value: _state_pb2.StoredValue
    def __init__(self, tenant: _Optional[str] = ..., value: _Optional[_Union[_state_pb2.StoredValue, _Mapping]] = ...) -> None: ...

class ExportedSession(_message.Message):
    __slots__ = ("tenant", "session")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    session: _session_pb2.Session
    def __init__(self, tenant: _Optional[str] = ..., session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ...) -> None: ...

class ExportedMessages(_message.Message):
    __slots__ = ("tenant", "session_id", "messages", "session_create_time")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    SESSION_CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    session_id: str
    messages: _containers.RepeatedCompositeFieldContainer[_session_pb2.SessionMessage]
    session_create_time: _timestamp_pb2.Timestamp
    def __init__(self, tenant: _Optional[str] = ..., session_id: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[_session_pb2.SessionMessage, _Mapping]]] = ..., session_create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ExportedEvents(_message.Message):
    __slots__ = ("tenant", "run_id", "generation", "events")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    run_id: str
    generation: int
    events: _containers.RepeatedCompositeFieldContainer[_run_event_pb2.RunEvent]
    def __init__(self, tenant: _Optional[str] = ..., run_id: _Optional[str] = ..., generation: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_run_event_pb2.RunEvent, _Mapping]]] = ...) -> None: ...

class ExportedRun(_message.Message):
    __slots__ = ("record", "signals_sent", "bases", "waiting_step_ids", "output_sequence")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_SENT_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    WAITING_STEP_IDS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    record: _run_log_pb2.RunRecord
    signals_sent: int
    bases: _containers.RepeatedCompositeFieldContainer[GenerationBase]
    waiting_step_ids: _containers.RepeatedScalarFieldContainer[str]
    output_sequence: int
    def __init__(self, record: _Optional[_Union[_run_log_pb2.RunRecord, _Mapping]] = ..., signals_sent: _Optional[int] = ..., bases: _Optional[_Iterable[_Union[GenerationBase, _Mapping]]] = ..., waiting_step_ids: _Optional[_Iterable[str]] = ..., output_sequence: _Optional[int] = ...) -> None: ...

class GenerationBase(_message.Message):
    __slots__ = ("generation", "last_common_sequence")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    LAST_COMMON_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    generation: int
    last_common_sequence: int
    def __init__(self, generation: _Optional[int] = ..., last_common_sequence: _Optional[int] = ...) -> None: ...

class ExportedTopic(_message.Message):
    __slots__ = ("tenant", "topic", "next_position", "groups")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    NEXT_POSITION_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    topic: str
    next_position: int
    groups: _containers.RepeatedCompositeFieldContainer[ExportedGroup]
    def __init__(self, tenant: _Optional[str] = ..., topic: _Optional[str] = ..., next_position: _Optional[int] = ..., groups: _Optional[_Iterable[_Union[ExportedGroup, _Mapping]]] = ...) -> None: ...

class ExportedGroup(_message.Message):
    __slots__ = ("group", "next_position", "deliveries")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NEXT_POSITION_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    group: str
    next_position: int
    deliveries: _containers.RepeatedCompositeFieldContainer[ExportedDelivery]
    def __init__(self, group: _Optional[str] = ..., next_position: _Optional[int] = ..., deliveries: _Optional[_Iterable[_Union[ExportedDelivery, _Mapping]]] = ...) -> None: ...

class ExportedDelivery(_message.Message):
    __slots__ = ("position", "delivery", "reason")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    position: int
    delivery: int
    reason: str
    def __init__(self, position: _Optional[int] = ..., delivery: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class ExportedTopicEvents(_message.Message):
    __slots__ = ("tenant", "topic", "events")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    topic: str
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.DeliveredEvent]
    def __init__(self, tenant: _Optional[str] = ..., topic: _Optional[str] = ..., events: _Optional[_Iterable[_Union[_event_pb2.DeliveredEvent, _Mapping]]] = ...) -> None: ...

class ImportRecordsRequest(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[StoreRecord]
    def __init__(self, records: _Optional[_Iterable[_Union[StoreRecord, _Mapping]]] = ...) -> None: ...

class ImportRecordsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ImportResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ImportResult, _Mapping]]] = ...) -> None: ...

class ImportResult(_message.Message):
    __slots__ = ("outcome", "detail")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    outcome: ImportOutcome
    detail: str
    def __init__(self, outcome: _Optional[_Union[ImportOutcome, str]] = ..., detail: _Optional[str] = ...) -> None: ...
