"""A mesh whose executor serves the model of a model server."""

from dataclasses import dataclass, field
from typing import Final

from tests.topologies.mesh import Mesh

MODEL: Final = "tiny"
TOOLS: Final = ("add", "read_file", "breaks", "counts", "counts_and_hangs")


@dataclass
class ModelMesh(Mesh):
    """Represents a running mesh with the agent `model` and the tools of `tools.py`."""

    url: str = field(kw_only=True)

    def _own(self, layer: str) -> list[str]:
        match layer:
            case "executor":
                return ["--model", MODEL, "--model-url", self.url]
            case "tools":
                return [flag for name in TOOLS for flag in ("--tool", f"tests.models.tools:{name}")]
            case _:
                return super()._own(layer)
