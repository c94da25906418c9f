"""Checking the fields of requests: all that is wrong is said at once."""

from collections.abc import Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from penstock.v1.run_pb2 import Content
from penstock.v1.session_pb2 import MessageRole, SessionMessage
from penstock.wire.errors import InvalidArgument
from penstock.wire.ids import ID_RULE, is_id
from penstock.wire.rules.fields import parse_json

MAX_VALUE_BYTES: Final = 1024 * 1024
MAX_KEY_BYTES: Final = 1024
MAX_METADATA_BYTES: Final = 8 * 1024
MAX_BATCH: Final = 1000
MAX_LABELS: Final = 64
MAX_PAGE: Final = 1000
MAX_MESSAGE_ID: Final = 256
# Seconds since 1970 of the times that a Timestamp may hold.
_FIRST_SECOND: Final = -62_135_596_800
_LAST_SECOND: Final = 253_402_300_799
_ROLES: Final = frozenset(MessageRole.values())


class Violations:
    """Gathers the violations of one request."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, field: str, description: str) -> None:
        """Notes one violation."""
        self.found.append((field, description))

    def raise_any(self) -> None:
        """Raises InvalidArgument if there are any."""
        if self.found:
            raise InvalidArgument.of(self.found)

    def id(self, field: str, value: str, *, optional: bool = False) -> None:
        """Checks an id."""
        if not is_id(value) and not (optional and not value):
            self.add(field, f"must be {ID_RULE}")

    def key(self, field: str, value: str) -> None:
        """Checks the key of a value."""
        if not 1 <= len(value.encode()) <= MAX_KEY_BYTES:
            self.add(field, f"must be 1 to {MAX_KEY_BYTES} bytes")

    def size(self, field: str, size: int, limit: int) -> bool:
        """Checks a size in bytes; False: it is too large."""
        if size > limit:
            self.add(field, f"has {size} bytes; at most {limit} are kept")
        return size <= limit

    def text(self, field: str, text: str, limit: int) -> None:
        """Checks the length of a text in characters."""
        if len(text) > limit:
            self.add(field, f"must be at most {limit} characters")

    def json(self, field: str, text: str) -> None:
        """Checks JSON: that it is some, and not nested too deeply."""
        try:
            parse_json(text)
        except ValueError as error:
            self.add(field, str(error))

    def contents(self, field: str, contents: Sequence[Content]) -> None:
        """Checks the JSON among parts of a content."""
        for position, part in enumerate(contents):
            if part.HasField("json"):
                self.json(f"{field}[{position}].json", part.json)

    def count(self, field: str, count: int, limit: int = MAX_BATCH, *, least: int = 0) -> None:
        """Checks how many there are of something."""
        if not least <= count <= limit:
            self.add(field, f"has {count} entries; must be {least} to {limit}")

    def duration(self, field: str, value: Duration, least: float, most: float) -> float:
        """Checks a duration against bounds in seconds, and returns it in seconds."""
        seconds = value.seconds + value.nanos / 1e9
        if not least <= seconds <= most:
            self.add(field, f"must be {least:g} s to {most:g} s")
            return least
        return seconds

    def time(self, field: str, value: Timestamp) -> None:
        """Checks that a time is one of the years 1 to 9999."""
        if not _FIRST_SECOND <= value.seconds <= _LAST_SECOND:
            self.add(field, "must be in the years 1 to 9999")

    def page_size(self, value: int, default: int) -> int:
        """Checks `page_size`, and returns how many are wanted."""
        if not 0 <= value <= MAX_PAGE:
            self.add("page_size", f"must be 1 to {MAX_PAGE}, or 0 for {default}")
        return value or default

    def messages(self, field: str, messages: Sequence[SessionMessage]) -> None:
        """Checks messages for a session."""
        for position, message in enumerate(messages):
            where = f"{field}[{position}]"
            if not 1 <= len(message.message_id) <= MAX_MESSAGE_ID:
                self.add(f"{where}.message_id", f"must be 1 to {MAX_MESSAGE_ID} characters")
            self.id(f"{where}.run_id", message.run_id, optional=True)
            if message.role not in _ROLES:
                self.add(f"{where}.role", f"is {message.role}, which is not known here")
            if self.size(where, message.ByteSize(), MAX_VALUE_BYTES + MAX_METADATA_BYTES):
                self.contents(f"{where}.content", message.content)
            if message.index or message.HasField("time"):
                self.add(where, "index and time are the store's to give; leave them empty")
