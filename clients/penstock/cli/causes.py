"""Why attempts were lost, each reason told once."""

from penstock.cli.terminal import line


class Causes:
    """Remembers which causes were told."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, cause: str, limit: int | None = 100) -> str:
        """Returns a cause as a line of at most so many characters (None: whole), or that it is one told before."""
        if cause in self._told:
            return "for the same reason"
        self._told.add(cause)
        return line(cause, limit)

    def in_brackets(self, cause: str) -> str:
        """Returns a cause to be put after a sentence; empty where none is known."""
        return f" ({self.tell(cause)})" if cause else ""
