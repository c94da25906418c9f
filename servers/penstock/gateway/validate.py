"""What a RunSpec must be like before a run is made of it."""

from collections.abc import Mapping, Sequence
from typing import Final

from penstock.v1.run_pb2 import Content, Durability, OnBusy, RunSpec
from penstock.wire.ids import ID_RULE, is_id
from penstock.wire.rules.fields import check_duration, check_enum, check_id, parse_json, quoted
from penstock.wire.rules.findings import Findings
from penstock.wire.rules.plan import check_plan

MOST_INPUT_BYTES: Final = 1024 * 1024
MOST_LABELS: Final = 64
LONGEST_LABEL: Final = 256


def check_spec(spec: RunSpec, *, present: bool) -> None:
    """Checks what a caller asks for; `present` tells whether the request has a spec at all.

    Raises:
        InvalidArgument: with all violations at once, each with its path from `spec` on.
        Unimplemented: all is right, but something in the plan is not built yet.
    """
    findings = Findings()
    if not present:
        findings.wrong("spec", "is missing; say what to run")
        findings.raise_any()
    check_id(findings, "spec.idempotency_key", spec.idempotency_key, required=False)
    check_id(findings, "spec.session_id", spec.session_id, required=False)
    check_enum(findings, "spec.on_busy", spec.on_busy, OnBusy.values())
    check_enum(findings, "spec.durability", spec.durability, Durability.values())
    if spec.HasField("timeout"):
        check_duration(findings, "spec.timeout", spec.timeout)
    _check_target(findings, spec)
    _check_input(findings, spec.input)
    check_labels(findings, "spec.labels", spec.labels)
    findings.raise_any()


def check_labels(findings: Findings, path: str, labels: Mapping[str, str]) -> None:
    """Notes labels that are too many, too long, or whose key is no id."""
    if len(labels) > MOST_LABELS:
        findings.wrong(path, f"has {len(labels)} labels; the most is {MOST_LABELS}")
        return
    for key, value in sorted(labels.items()):
        if not is_id(key):
            findings.wrong(f"{path}[{quoted(key)}]", f"the key must be {ID_RULE}")
        if len(value) > LONGEST_LABEL:
            findings.wrong(f"{path}[{key}]", f"has {len(value)} characters; the most is {LONGEST_LABEL}")


def _check_target(findings: Findings, spec: RunSpec) -> None:
    match spec.WhichOneof("target"):
        case "agent":
            check_id(findings, "spec.agent", spec.agent)
        case "workflow":
            check_id(findings, "spec.workflow", spec.workflow)
        case "plan":
            check_plan(findings, "spec.plan", spec.plan)
        case _:
            findings.wrong("spec.target", "is missing; name an agent or a workflow, or give a plan")


def _check_input(findings: Findings, parts: Sequence[Content]) -> None:
    if not parts:
        findings.wrong("spec.input", "is empty; give at least one part")
        return
    size = sum(len(part.text.encode()) + len(part.json.encode()) for part in parts)
    if size > MOST_INPUT_BYTES:
        findings.wrong("spec.input", f"has {size:,} bytes; the most is {MOST_INPUT_BYTES:,} (1 MiB)")
        return
    before = findings.count
    blank = True
    for index, part in enumerate(parts):
        match part.WhichOneof("part"):
            case "text":
                blank = blank and not part.text.strip()
            case "json":
                try:
                    value = parse_json(part.json)
                except ValueError as error:
                    findings.wrong(f"spec.input[{index}].json", str(error))
                else:
                    blank = blank and (value is None or (isinstance(value, str) and not value.strip()))
            case _:
                findings.wrong(f"spec.input[{index}]", "is empty; it must be text or json")
    if blank and findings.count == before:
        findings.wrong("spec.input", "is blank; say what is to be done")
