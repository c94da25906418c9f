"""Durations, times and counts, as people write and read them."""

import re
from datetime import datetime
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_in(text: str) -> float:
    """Reads a duration such as `90`, `30s`, `1.5m` or `2h`, in seconds; raises ValueError that says how to write it."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration; write 30s, 1.5m, 2h, or a number of seconds")
    return float(found[1]) * _SECONDS[found[2] or "s"]


def seconds_between(start: Timestamp, end: Timestamp) -> float:
    """Returns the seconds from one time to another."""
    return (end.ToNanoseconds() - start.ToNanoseconds()) / 1e9


def for_people(seconds: float) -> str:
    """Writes a duration with about three digits, in the unit that fits."""
    if seconds < 0.000_1:
        return "0 ms"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def of_duration(duration: Duration) -> str:
    """Writes a Duration for people."""
    return for_people(duration.ToNanoseconds() / 1e9)


def local_time(time: Timestamp) -> str:
    """Writes a point in time with the reader's own zone."""
    return datetime.fromtimestamp(time.seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def count(number: int, thing: str) -> str:
    """Writes a number of things."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
