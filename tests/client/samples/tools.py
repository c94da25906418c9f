"""A tool for the client's and the command line's tests."""

from penstock.tools import tool


@tool(effect="none", timeout=5)
def measure(text: str) -> int:
    """Counts the characters of a text."""
    return len(text)
