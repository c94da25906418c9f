"""Spans as a tree with a waterfall: when each began, how long it took, and where that lies in the run."""

import sys
from collections.abc import Sequence
from typing import Final

from penstock.cli.amounts import for_people
from penstock.cli.spans import MOMENT, RunSpans, Span
from penstock.cli.table import USUAL_WIDTH, columns_of, cut
from penstock.cli.terminal import line, styled

# A bar says little in fewer columns, and a name in fewer says nothing.
LEAST_BAR: Final = 12
LEAST_NAME: Final = 24
MOST_NAME: Final = 48
GOING_ON: Final = "▸"
WAITING, WORKING, MOMENT_MARK = "░", "█", "│"
_GOOD = frozenset({"succeeded", "finished", "left", "skipped", ""})
_STYLES: Final = {"cancelled": "33", "lost": "33", "abandoned": "33", "unknown": "33"}


def waterfall(spans: RunSpans, now: int, width: int | None) -> str:
    """Lays out spans, unfinished ones up to `now` (nanoseconds) and with a mark, in so many columns (None: usual)."""
    walked = list(spans.walk())
    root = walked[0][0]
    last = max([root.end or now, *(span.end or now for span, _ in walked)])
    cells = [(_name(span, depth), _offset(span, root), _took(span, now)) for span, depth in walked]
    head = ("SPAN", "AT", "TOOK")
    widths = [max(columns_of(row[i]) for row in (head, *cells)) for i in range(3)]
    room = (width or USUAL_WIDTH) - widths[1] - widths[2] - 6
    widths[0] = min(widths[0], max(room - LEAST_BAR, LEAST_NAME), MOST_NAME)
    bar = max(room - widths[0], LEAST_BAR)
    lines = [_row(head, widths)]
    for (span, _), row in zip(walked, cells, strict=True):
        drawn = _bar(span, root.start, max(last - root.start, 1), bar, now)
        style = "36" if span.status in _GOOD else _STYLES.get(span.status, "31")
        lines.append(f"{_row(row, widths)}  {styled(drawn, style, sys.stdout)}".rstrip())
    return "\n".join(lines)


def _name(span: Span, depth: int) -> str:
    told = line(span.name, None)
    runs = span.attributes.get("agent") or span.attributes.get("workflow") or ""
    if span.kind == "attempt" and runs:
        told += f" ({line(runs)})"
    if span.attributes.get("from_record"):
        told += " from record"
    elif span.status not in _GOOD and span.kind != "run":
        told += f" {span.status.replace('_', ' ')}"
    return "  " * depth + told


def _offset(span: Span, root: Span) -> str:
    return f"+{for_people((span.start - root.start) / 1e9)}"


def _took(span: Span, now: int) -> str:
    if span.kind == MOMENT:
        return ""
    took = for_people(max((now if span.end is None else span.end) - span.start, 0) / 1e9)
    return f"{took} …" if span.end is None else took


def _bar(span: Span, start: int, whole: int, width: int, now: int) -> str:
    def column(time: int) -> int:
        return min(max((time - start) * width // whole, 0), width - 1)

    begin = column(span.start)
    if span.kind == MOMENT:
        return " " * begin + MOMENT_MARK
    end = column(now if span.end is None else span.end)
    if span.kind == "queue":
        drawn = WAITING * (end - begin + 1)
    else:
        split = column(span.split) if span.split is not None else begin
        drawn = WAITING * (split - begin) + WORKING * (end - split + 1)
    if span.end is None:
        drawn = drawn[:-1] + GOING_ON
    return " " * begin + drawn


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, at, took = cells
    name = cut(name, widths[0])
    return f"{name}{' ' * (widths[0] - columns_of(name))}  {at:>{widths[1]}}  {took:>{widths[2]}}"
