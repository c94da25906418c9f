"""Named plans, read from files when the layer starts."""

from collections.abc import Sequence
from pathlib import Path

from penstock.v1.orchestrator_pb2 import WorkflowDescription
from penstock.v1.plan_pb2 import Plan
from penstock.wire.errors import InvalidArgument, NotFound
from penstock.wire.ids import ID_RULE, is_id
from penstock.wire.plan_file import load_plan
from penstock.wire.rules.findings import Findings
from penstock.wire.rules.plan import check_plan


class Workflows:
    """Knows the plans that runs can name."""

    def __init__(self, plans: dict[str, Plan]) -> None:
        self._plans = plans

    @classmethod
    def load(cls, paths: Sequence[str]) -> "Workflows":
        """Reads plans from YAML or JSON files; each is named as its file, without the ending.

        Raises:
            InvalidArgument: all that is wrong with the files, at once.
            Unimplemented: a plan with what isn't built yet.
        """
        plans: dict[str, Plan] = {}
        findings = Findings()
        for path in paths:
            name = Path(path).stem
            if not is_id(name):
                findings.wrong(path, f"names the workflow {name!r}, but a name must be {ID_RULE}")
            elif name in plans:
                findings.wrong(path, f"there is a workflow {name!r} already; name the files differently")
            try:
                plans[name] = load_plan(path)
            except InvalidArgument as error:
                for violation in error.violations:
                    findings.wrong(f"{path}: {violation.field}", violation.description)
            else:
                check_plan(findings, path, plans[name])
        findings.raise_any()
        return cls(plans)

    def get(self, name: str) -> Plan:
        """Returns the plan of that name; raises NotFound with the nearest names."""
        if name not in self._plans:
            raise NotFound.named("workflow", name, sorted(self._plans))
        return self._plans[name]

    def describe(self) -> list[WorkflowDescription]:
        """Returns all workflows, by name."""
        return [
            WorkflowDescription(name=name, description=_summary(plan), plan=plan)
            for name, plan in sorted(self._plans.items())
        ]


def _summary(plan: Plan) -> str:
    return " → ".join(step.step_id for step in plan.steps)
