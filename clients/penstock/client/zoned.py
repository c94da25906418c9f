"""Points in time, as Python says them, made into the contract's."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from penstock.wire.errors import InvalidArgument


def timestamp(name: str, time: datetime) -> Timestamp:
    """Makes the timestamp of an argument of that name; raises InvalidArgument where the time has no zone."""
    if time.tzinfo is None:
        # Protobuf would take a local time for UTC, and be hours off without a word.
        raise InvalidArgument.of([(name, f"has no time zone: {time!r}; write datetime.now(UTC) or time.astimezone()")])
    made = Timestamp()
    made.FromDatetime(time)
    return made


def timestamp_after(name: str, seconds: float) -> Timestamp:
    """Makes the time so many seconds from now; raises InvalidArgument where there is no such time."""
    try:
        return timestamp(name, datetime.now(UTC) + timedelta(seconds=seconds))
    except (TypeError, ValueError, OverflowError):
        raise InvalidArgument.of([(name, f"is a number of seconds, not {seconds!r}")]) from None
