"""A bar chart as an SVG picture, without a plotting library: readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from benchmarks.summary import Spread

WIDTH: Final = 760
LEFT, RIGHT = 252, 575  # where bars begin, and where the longest one ends
VALUES: Final = WIDTH - 16
TOP, ROW, BAR = 76, 42, 20
FOOT: Final = 52
# Greys between black and white, so that the picture is also readable where a page's theme isn't known.
STYLE: Final = """
  text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #6b7480 }
  .title { font-size: 16px; font-weight: 600 }
  .small { font-size: 12px }
  .value { font-weight: 600 }
  .own { fill: #2f9e8f } .other { fill: #9aa4b0 }
  .whisker { stroke: #4b535d; stroke-width: 1.5 }
  .budget { stroke: #d9712b; stroke-width: 2.5; stroke-dasharray: 4 3 } .bound { fill: #c9641f }
  .axis { stroke: #9aa4b0; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #a3adb8 } .whisker { stroke: #d0d7de } .other { fill: #6b7480 } .bound { fill: #e58a4a }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """Represents one bar: its value with quartiles, in the chart's unit, and the budget that it is marked with."""

    label: str
    value: Spread
    budget: float | None = None
    own: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """Represents a chart of some bars; `digits` are shown after the point, and `foot` tells what was measured how."""

    title: str
    unit: str
    bars: Sequence[Bar]
    foot: str
    digits: int = 1


def svg(chart: Chart) -> str:
    """Returns the picture, as wide as a README's column; longer is more."""
    height = TOP + ROW * len(chart.bars) + FOOT
    longest = max(max(bar.value.high, bar.value.median, bar.budget or 0.0) for bar in chart.bars) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(_spoken(chart))}">',
        f"<style>{STYLE}</style>",
        _text(16, 28, chart.title, "title"),
        _text(16, 50, f"{chart.unit}; less is better"),
    ]
    for number, bar in enumerate(chart.bars):
        parts += _bar(chart, bar, TOP + ROW * number, (RIGHT - LEFT) / longest)
    bottom = TOP + ROW * len(chart.bars)
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP - 6}" y2="{bottom - 8}"/>')
    parts.append(_text(16, bottom + 16, chart.foot, "small"))
    marks = "bars: medians; whiskers: quartiles"
    if any(bar.budget is not None for bar in chart.bars):
        parts.append(f'<line class="budget" x1="22" x2="22" y1="{bottom + 22}" y2="{bottom + 40}"/>')
        parts.append(_text(34, bottom + 36, f"budget; {marks}", "small"))
    else:
        parts.append(_text(16, bottom + 36, marks, "small"))
    return "\n".join([*parts, "</svg>", ""])


def _bar(chart: Chart, bar: Bar, top: int, scale: float) -> list[str]:
    middle, base = top + BAR / 2, top + BAR / 2 + 4.5
    low, high = (LEFT + value * scale for value in (bar.value.low, bar.value.high))
    parts = [
        _text(LEFT - 12, base, bar.label, anchor="end"),
        f'<rect class="{"own" if bar.own else "other"}" x="{LEFT}" y="{top}" width="{bar.value.median * scale:.1f}" '
        f'height="{BAR}" rx="2"/>',
        f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>',
        *(
            f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 5}" y2="{middle + 5}"/>'
            for x in (low, high)
        ),
    ]
    shown, spread = f"{bar.value.median:,.{chart.digits}f}", ""
    if bar.value.low != bar.value.high:
        spread = f"({bar.value.low:,.{chart.digits}f}…{bar.value.high:,.{chart.digits}f})"
    parts.append(_text(VALUES - 100, base, shown, "value", anchor="end"))
    parts.append(_text(VALUES, base, spread, anchor="end"))
    if bar.budget is not None:
        at = LEFT + bar.budget * scale
        parts.append(f'<line class="budget" x1="{at:.1f}" x2="{at:.1f}" y1="{top - 6}" y2="{top + BAR + 6}"/>')
        bound = f"budget {bar.budget:,.{chart.digits}f}"
        parts.append(_text(VALUES, base + 15, bound, "small bound", anchor="end"))
    return parts


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _spoken(chart: Chart) -> str:
    values = ", ".join(f"{bar.label} {bar.value.median:,.{chart.digits}f}" for bar in chart.bars)
    return f"{chart.title}, {chart.unit}: {values}"
