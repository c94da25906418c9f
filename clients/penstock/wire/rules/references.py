"""What the references in a plan's texts may point at."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from penstock.wire.references import Reference, Source, find
from penstock.wire.rules.fields import quoted
from penstock.wire.rules.findings import Findings


@dataclass(frozen=True, slots=True)
class Visible:
    """Represents what a step may refer to: the steps before its `position`, or any other step when that is None.

    `places` has the position of every step by its id.
    """

    places: Mapping[str, int]
    position: int | None


def check_references(findings: Findings, path: str, text: str, visible: Visible) -> None:
    """Notes references to what does not exist, or does not exist yet when the step runs."""
    for reference in find(text):
        problem = _problem(reference, visible, hint=not findings.many)
        if problem:
            findings.wrong(path, f"{quoted(reference.text)} {problem}")


def nearest(step_id: str, places: Mapping[str, int]) -> str:
    """Returns a hint at the steps whose ids look like this one; empty when none does."""
    near = get_close_matches(step_id, places, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(quoted(one) for one in near)}?" if near else ""


def _problem(reference: Reference, visible: Visible, *, hint: bool) -> str:
    match reference.source:
        case Source.INPUT:
            return ""
        case Source.ITEM | Source.INDEX:
            return "has a meaning only in a fan-out"
        case Source.UNKNOWN:
            return "is no reference; there are ${input} and ${steps.ID.output}, and $${ stands for a plain ${"
        case Source.STEP:
            return _step_problem(reference.step_id, visible, hint)


def _step_problem(step_id: str, visible: Visible, hint: bool) -> str:
    place = visible.places.get(step_id)
    if place is None:
        return f"names a step that does not exist{nearest(step_id, visible.places) if hint else ''}"
    if visible.position is not None and place >= visible.position:
        which = "itself" if place == visible.position else "a later step"
        return f"names {which}; a step sees the output of earlier steps only"
    return ""
