"""What agent authors import stays light."""

import subprocess
import sys


def test_importing_for_authors_brings_in_no_framework():
    """`from penstock.executor import …` and `from penstock.tools import …` load neither pydantic nor yaml."""
    code = "import sys, penstock.executor, penstock.tools; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "penstock.executor.agent_context" in loaded
    assert not {"pydantic", "yaml", "typer", "rich", "penstock.executor.service"} & set(loaded)
