"""The tools layer: typed Python functions as tools, with a JSON Schema, a timeout and a declared effect.

A tool is a function; `@tool` adds what its signature can't say:

    @tool(effect="none", timeout=5)
    def word_count(text: str) -> int:
        \"\"\"Counts the words of a text.\"\"\"
        return len(text.split())
"""

from penstock.tools.declaration import Effect, tool
from penstock.tools.tool_context import ToolContext
from penstock.tools.tool_error import ToolError

__all__ = ["Effect", "ToolContext", "ToolError", "tool"]
