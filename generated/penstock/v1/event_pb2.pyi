import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TopicEvent(_message.Message):
    __slots__ = ("event_id", "type", "payload_json", "correlation_id", "reply_topic", "deadline_time", "time", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_JSON_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    REPLY_TOPIC_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    type: str
    payload_json: str
    correlation_id: str
    reply_topic: str
    deadline_time: _timestamp_pb2.Timestamp
    time: _timestamp_pb2.Timestamp
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, event_id: _Optional[str] = ..., type: _Optional[str] = ..., payload_json: _Optional[str] = ..., correlation_id: _Optional[str] = ..., reply_topic: _Optional[str] = ..., deadline_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class DeliveredEvent(_message.Message):
    __slots__ = ("position", "event", "delivery", "dead_letter_reason")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTER_REASON_FIELD_NUMBER: _ClassVar[int]
    position: int
    event: TopicEvent
    delivery: int
    dead_letter_reason: str
    def __init__(self, position: _Optional[int] = ..., event: _Optional[_Union[TopicEvent, _Mapping]] = ..., delivery: _Optional[int] = ..., dead_letter_reason: _Optional[str] = ...) -> None: ...

class PublishRequest(_message.Message):
    __slots__ = ("tenant", "topic", "events")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    topic: str
    events: _containers.RepeatedCompositeFieldContainer[TopicEvent]
    def __init__(self, tenant: _Optional[str] = ..., topic: _Optional[str] = ..., events: _Optional[_Iterable[_Union[TopicEvent, _Mapping]]] = ...) -> None: ...

class PublishResponse(_message.Message):
    __slots__ = ("positions",)
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    positions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, positions: _Optional[_Iterable[int]] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("tenant", "topic", "group", "member", "from_position", "max_unacknowledged", "visibility_timeout")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    FROM_POSITION_FIELD_NUMBER: _ClassVar[int]
    MAX_UNACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    topic: str
    group: str
    member: str
    from_position: int
    max_unacknowledged: int
    visibility_timeout: _duration_pb2.Duration
    def __init__(self, tenant: _Optional[str] = ..., topic: _Optional[str] = ..., group: _Optional[str] = ..., member: _Optional[str] = ..., from_position: _Optional[int] = ..., max_unacknowledged: _Optional[int] = ..., visibility_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("events", "group", "next_position", "skipped_events")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NEXT_POSITION_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[DeliveredEvent]
    group: str
    next_position: int
    skipped_events: int
    def __init__(self, events: _Optional[_Iterable[_Union[DeliveredEvent, _Mapping]]] = ..., group: _Optional[str] = ..., next_position: _Optional[int] = ..., skipped_events: _Optional[int] = ...) -> None: ...

class AcknowledgeRequest(_message.Message):
    __slots__ = ("tenant", "topic", "group", "positions", "failed")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    topic: str
    group: str
    positions: _containers.RepeatedScalarFieldContainer[int]
    failed: _containers.RepeatedCompositeFieldContainer[FailedDelivery]
    def __init__(self, tenant: _Optional[str] = ..., topic: _Optional[str] = ..., group: _Optional[str] = ..., positions: _Optional[_Iterable[int]] = ..., failed: _Optional[_Iterable[_Union[FailedDelivery, _Mapping]]] = ...) -> None: ...

class FailedDelivery(_message.Message):
    __slots__ = ("position", "reason")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    position: int
    reason: str
    def __init__(self, position: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class AcknowledgeResponse(_message.Message):
    __slots__ = ("unknown_positions",)
    UNKNOWN_POSITIONS_FIELD_NUMBER: _ClassVar[int]
    unknown_positions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, unknown_positions: _Optional[_Iterable[int]] = ...) -> None: ...
