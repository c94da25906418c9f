import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from penstock.v1 import run_pb2 as _run_pb2
from penstock.v1 import run_log_pb2 as _run_log_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClaimReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLAIM_REASON_UNSPECIFIED: _ClassVar[ClaimReason]
    CLAIM_REASON_QUEUED: _ClassVar[ClaimReason]
    CLAIM_REASON_ORPHANED: _ClassVar[ClaimReason]
    CLAIM_REASON_PAST_DEADLINE: _ClassVar[ClaimReason]

class SignalOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIGNAL_OUTCOME_UNSPECIFIED: _ClassVar[SignalOutcome]
    SIGNAL_OUTCOME_SENT: _ClassVar[SignalOutcome]
    SIGNAL_OUTCOME_RUN_ENDED: _ClassVar[SignalOutcome]
    SIGNAL_OUTCOME_RUN_FINISHED: _ClassVar[SignalOutcome]
    SIGNAL_OUTCOME_NOT_FOUND: _ClassVar[SignalOutcome]
CLAIM_REASON_UNSPECIFIED: ClaimReason
CLAIM_REASON_QUEUED: ClaimReason
CLAIM_REASON_ORPHANED: ClaimReason
CLAIM_REASON_PAST_DEADLINE: ClaimReason
SIGNAL_OUTCOME_UNSPECIFIED: SignalOutcome
SIGNAL_OUTCOME_SENT: SignalOutcome
SIGNAL_OUTCOME_RUN_ENDED: SignalOutcome
SIGNAL_OUTCOME_RUN_FINISHED: SignalOutcome
SIGNAL_OUTCOME_NOT_FOUND: SignalOutcome

class ClaimRunsRequest(_message.Message):
    __slots__ = ("instance_id", "max_runs", "wait", "claim_id")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_RUNS_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    max_runs: int
    wait: _duration_pb2.Duration
    claim_id: str
    def __init__(self, instance_id: _Optional[str] = ..., max_runs: _Optional[int] = ..., wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., claim_id: _Optional[str] = ...) -> None: ...

class ClaimRunsResponse(_message.Message):
    __slots__ = ("runs",)
    RUNS_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[ClaimedRun]
    def __init__(self, runs: _Optional[_Iterable[_Union[ClaimedRun, _Mapping]]] = ...) -> None: ...

class ClaimedRun(_message.Message):
    __slots__ = ("record", "reason")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    record: _run_log_pb2.RunRecord
    reason: ClaimReason
    def __init__(self, record: _Optional[_Union[_run_log_pb2.RunRecord, _Mapping]] = ..., reason: _Optional[_Union[ClaimReason, str]] = ...) -> None: ...

class RenewLeaseRequest(_message.Message):
    __slots__ = ("instance_id", "ttl")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    ttl: _duration_pb2.Duration
    def __init__(self, instance_id: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RenewLeaseResponse(_message.Message):
    __slots__ = ("expire_time", "lapsed")
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAPSED_FIELD_NUMBER: _ClassVar[int]
    expire_time: _timestamp_pb2.Timestamp
    lapsed: bool
    def __init__(self, expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lapsed: bool = ...) -> None: ...

class SendSignalRequest(_message.Message):
    __slots__ = ("tenant", "run_id", "signal_id", "signal")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    run_id: str
    signal_id: str
    signal: _run_pb2.Signal
    def __init__(self, tenant: _Optional[str] = ..., run_id: _Optional[str] = ..., signal_id: _Optional[str] = ..., signal: _Optional[_Union[_run_pb2.Signal, _Mapping]] = ...) -> None: ...

class SendSignalResponse(_message.Message):
    __slots__ = ("outcome", "signal_number", "run")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    outcome: SignalOutcome
    signal_number: int
    run: _run_pb2.Run
    def __init__(self, outcome: _Optional[_Union[SignalOutcome, str]] = ..., signal_number: _Optional[int] = ..., run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...
