"""Events, as they were typed or stand in a file; anything that can't be read is wrong usage."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from penstock.client import TopicEvent
from penstock.wire.ids import random_id
from penstock.wire.rules.fields import parse_json

_MOST_AT_ONCE: Final = 1000
_MOST_BYTES_AT_ONCE: Final = 2 * 1024 * 1024


def events_of(
    payloads: Sequence[str], file: str | None, *, kind: str, event_id: str, metadata: Mapping[str, str]
) -> list[TopicEvent]:
    """Makes an event of each payload, then of each line of the file, as they are: no digit is lost."""
    texts = [("JSON", text) for text in payloads]
    if file is not None:
        texts += [(f"{file} line {number}", text) for number, text in _lines_of(file) if text.strip()]
    if not texts:
        raise typer.BadParameter("say what happened: give JSON, or --file PATH (`-` for stdin)")
    if event_id and len(texts) > 1:
        raise typer.BadParameter(f"is the name of one event, and there are {len(texts)}", param_hint="--id")
    for where, text in texts:
        _check(where, text)
    return [
        TopicEvent(event_id=event_id or random_id("event"), type=kind, payload_json=text, metadata=metadata)
        for _, text in texts
    ]


def batches(events: Sequence[TopicEvent]) -> Iterator[list[TopicEvent]]:
    """Parts events into as many as one call may have."""
    batch: list[TopicEvent] = []
    size = 0
    for event in events:
        if batch and (len(batch) == _MOST_AT_ONCE or size + event.ByteSize() > _MOST_BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += event.ByteSize()
    if batch:
        yield batch


def value_of(text: str) -> Any:
    """Reads one JSON value."""
    _check("JSON", text)
    return json.loads(text)


def _check(where: str, text: str) -> None:
    try:
        parse_json(text)
    except ValueError as error:
        hint = "; a text needs quotes of its own: '\"hello\"'" if text[:1].isalpha() else ""
        raise typer.BadParameter(f"{text[:40]!r} {error}{hint}", param_hint=where) from None


def _lines_of(file: str) -> Iterator[tuple[int, str]]:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        # JSON's texts may hold what else ends a line.
        yield from ((number, text.removesuffix("\r")) for number, text in enumerate(data.decode().split("\n"), 1))
    except OSError as error:
        raise typer.BadParameter(f"{file} can't be read: {error.strerror or error}", param_hint="--file") from None
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file} is not UTF-8 at byte {error.start}", param_hint="--file") from None
