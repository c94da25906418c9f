"""The one table between our errors and gRPC's statuses, in both directions."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from penstock.wire import errors
from penstock.wire.errors import PenstockError

_LOGGER: Final = logging.getLogger(__name__)

DOMAIN: Final = "penstock"
DETAILS_KEY: Final = "grpc-status-details-bin"

# From the most general to the most special: an error takes the code of its nearest ancestor here, and a status
# becomes the first class of its code.
CODES: Final[Mapping[type[PenstockError], grpc.StatusCode]] = {
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.OverLimit: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.OutOfRange: grpc.StatusCode.OUT_OF_RANGE,
    errors.DataLoss: grpc.StatusCode.DATA_LOSS,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.Aborted: grpc.StatusCode.ABORTED,
    errors.Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.CircuitOpen: grpc.StatusCode.UNAVAILABLE,
    errors.Draining: grpc.StatusCode.UNAVAILABLE,
    errors.Internal: grpc.StatusCode.INTERNAL,
}

_BY_REASON: Final = {cls.reason: cls for cls in CODES}
_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}


def code_of(error: PenstockError) -> grpc.StatusCode:
    """Returns the status code of an error: that of its nearest ancestor in the table."""
    for cls in type(error).__mro__:
        if cls in CODES:
            return CODES[cls]
    return grpc.StatusCode.INTERNAL


def to_status(error: PenstockError, request_id: str = "") -> Status:
    """Turns an error into a google.rpc.Status and its details (ErrorInfo, RetryInfo, BadRequest …)."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    if request_id and "request_id" not in info.metadata:
        info.metadata["request_id"] = request_id
    details: list[Any] = [info]
    if isinstance(error, errors.InvalidArgument) and error.violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
                    for v in error.violations
                ]
            )
        )
    if isinstance(error, errors.OverLimit):
        details.append(
            error_details_pb2.QuotaFailure(
                violations=[error_details_pb2.QuotaFailure.Violation(subject=error.subject, description=error.message)]
            )
        )
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_after * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = Status(code=code_of(error).value[0], message=error.message)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def from_status(status: Status) -> PenstockError:
    """Turns a google.rpc.Status back into an error of the tree, with all that its details say."""
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    quota = error_details_pb2.QuotaFailure()
    for packed in status.details:
        for detail in (info, bad, retry, quota):
            if packed.Is(detail.DESCRIPTOR):
                packed.Unpack(detail)
    reason = info.reason or None
    metadata = dict(info.metadata)
    retry_after = retry.retry_delay.ToNanoseconds() / 1e9 if retry.HasField("retry_delay") else None
    cls = _class_of(status.code, info.reason)
    message = status.message
    if cls is errors.InvalidArgument:
        violations = [(v.field, v.description) for v in bad.field_violations]
        return errors.InvalidArgument(message, violations, reason=reason, metadata=metadata)
    if cls is errors.OverLimit:
        subject = quota.violations[0].subject if quota.violations else ""
        return errors.OverLimit(
            message, subject=subject, retry_after=retry_after or 0.0, reason=reason, metadata=metadata
        )
    if cls is errors.OutOfRange:
        first = _number(metadata.get("first_sequence"))
        return _with(errors.OutOfRange(message, run_id=metadata.get("run_id", ""), first_sequence=first), info)
    if cls is errors.DataLoss:
        lost = errors.DataLoss(
            message,
            run_id=metadata.get("run_id", ""),
            last_common_sequence=_number(metadata.get("last_common_sequence")),
            generation=_number(metadata.get("generation")),
        )
        return _with(lost, info)
    if issubclass(cls, errors.Unavailable):
        return cls(message, reason=reason, metadata=metadata, retry_after=1.0 if retry_after is None else retry_after)
    return cls(message, reason=reason, metadata=metadata, retry_after=retry_after)


def from_rpc_error(error: grpc.aio.AioRpcError) -> PenstockError:
    """Turns the failure of a call into an error of the tree.

    A peer outside the mesh, or the transport itself, gives no details: then code and text are all there is.
    """
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return from_status(Status.FromString(value))
            except DecodeError:
                break  # a peer that is none of ours; what it says without details still holds
    return from_status(Status(code=error.code().value[0], message=error.details() or ""))


def from_inner_error(error: grpc.aio.AioRpcError) -> PenstockError:
    """Turns the failure of a call from one layer to another into an error that may be shown to the caller.

    The transport's own words name addresses inside the mesh; they are for the log.
    """
    translated = from_rpc_error(error)
    explained = any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ())
    if isinstance(translated, errors.Unavailable) and not explained:
        _LOGGER.warning("a layer is away: %s", error.details())
        text = "a layer that this call needs can't be reached now; `penstock status` says which"
        return errors.Unavailable(text, reason="LAYER_AWAY")
    return translated


def trailing_details(status: Status) -> tuple[str, bytes]:
    """Returns the trailing metadata pair that carries a status's details."""
    return DETAILS_KEY, status.SerializeToString()


def failed_status(
    code: grpc.StatusCode, message: str, reason: str, metadata: Mapping[str, str] | None = None
) -> Status:
    """Makes the status of something that failed without a call failing: a run, a step or a tool."""
    status = Status(code=code.value[0], message=message)
    packed = AnyMessage()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata or {}))
    status.details.append(packed)
    return status


def reason_of(status: Status) -> str:
    """Returns the ErrorInfo reason of a status, or an empty text."""
    return from_status(status).reason if status.details else ""


def retry_delay_of(status: Status) -> float:
    """Returns after how many seconds a status asks to come again; 0: it does not say."""
    retry = error_details_pb2.RetryInfo()
    for packed in status.details:
        if packed.Unpack(retry):
            return float(retry.retry_delay.ToNanoseconds() / 1e9)
    return 0.0


def _class_of(number: int, reason: str) -> type[PenstockError]:
    code = _BY_NUMBER.get(number, grpc.StatusCode.INTERNAL)
    special = _BY_REASON.get(reason)
    if special is not None and CODES[special] is code:
        return special
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return errors.ResourceExhausted
    return next((cls for cls, mapped in CODES.items() if mapped is code), errors.Internal)


def _with(error: PenstockError, info: error_details_pb2.ErrorInfo) -> PenstockError:
    error.reason = info.reason or error.reason
    error.metadata.update(info.metadata)
    return error


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
