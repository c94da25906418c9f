"""What a signal for a run must be like."""

from typing import Final

from penstock.v1.run_pb2 import Content, Signal
from penstock.wire.ids import ID_RULE, is_id
from penstock.wire.rules.fields import check_id, parse_json, quoted
from penstock.wire.rules.findings import Findings

LONGEST_REASON: Final = 1024
"""Most characters of a reason."""

MOST_SIGNAL_BYTES: Final = 256 * 1024
"""Most bytes of a signal's input."""


def check_signal(findings: Findings, signal: Signal) -> None:
    """Notes what is wrong with a signal."""
    match signal.WhichOneof("kind"):
        case "cancel":
            _check_reason(findings, "signal.cancel.reason", signal.cancel.reason)
        case "approval":
            approval = signal.approval
            if not all(is_id(part) for part in approval.step_id.split("/")):
                rule = f"must name the step that waits: {ID_RULE}, with / between the parts of a nested one"
                findings.wrong("signal.approval.step_id", f"{quoted(approval.step_id)} {rule}")
            _check_reason(findings, "signal.approval.reason", approval.reason)
        case "input":
            check_id(findings, "signal.input.name", signal.input.name)
            _check_input(findings, signal.input)
        case _:
            findings.wrong("signal", "says nothing; set cancel, approval or input")


def _check_reason(findings: Findings, path: str, reason: str) -> None:
    if len(reason) > LONGEST_REASON:
        findings.wrong(path, f"has {len(reason)} characters; the most is {LONGEST_REASON}")


def _check_input(findings: Findings, given: Signal.Input) -> None:
    size = sum(map(Content.ByteSize, given.content))
    if size > MOST_SIGNAL_BYTES:
        findings.wrong("signal.input.content", f"has {size:,} bytes; the most is {MOST_SIGNAL_BYTES:,} (256 KiB)")
        return
    for index, part in enumerate(given.content):
        if part.HasField("json"):
            try:
                parse_json(part.json)
            except ValueError as error:
                findings.wrong(f"signal.input.content[{index}].json", str(error))
        elif not part.HasField("text"):
            findings.wrong(f"signal.input.content[{index}]", "is empty; it must be text or json")
