"""An agent that tells what its process has imported."""

import sys
from collections.abc import AsyncIterator

from penstock.executor import AgentContext, Output


async def imported(task: str, context: AgentContext) -> AsyncIterator[Output]:
    """Answers with the imported modules whose names begin with its task."""
    yield Output(sorted(name for name in sys.modules if name.startswith(task)))
