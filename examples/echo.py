"""The smallest agent: gives back its task, word by word.

penstockd --app-dir examples --agent echo=echo:echo
"""

from collections.abc import AsyncGenerator

from penstock.executor import AgentContext, AgentEvent, Progress


async def echo(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Gives back its task, word by word."""
    yield Progress(f"echoing for request {context.request.request_id}")
    for word in task.split():
        yield word + " "
