"""Points in time, as Python says them, made into the contract's."""

from datetime import datetime

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
