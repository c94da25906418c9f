"""Makes a process find no more of OpenTelemetry than what comes with Penstock's core, as without the extra."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec

EXTRA = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "prometheus_client")


class NotInstalled:
    """Finds nothing where the extra's packages would be."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if name.startswith(EXTRA):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


sys.meta_path.insert(0, NotInstalled)
