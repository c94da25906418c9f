"""A tool."""

from penstock.tools import tool


@tool(effect="none")
def double(number: int) -> int:
    """Doubles a number."""
    return number * 2
