"""`Findings`: all that is wrong with a request, so that its caller hears everything at once."""

from typing import Final

from penstock.wire.errors import NOT_BUILT, InvalidArgument, Unimplemented

# As many as anyone reads; how much of them fits into the answer's metadata is decided where that is made.
_MOST_KEPT: Final = 100
_MOST_HINTED: Final = 10


class Findings:
    """Collects violations (what is wrong) and gaps (what is right, but not built yet), each with its field path."""

    def __init__(self) -> None:
        self.count = 0
        self._violations: list[tuple[str, str]] = []
        self._gaps: list[tuple[str, str]] = []

    @property
    def many(self) -> bool:
        """Whether there are so many violations that it isn't worth finding hints for one more."""
        return self.count > _MOST_HINTED

    def wrong(self, path: str, description: str) -> None:
        """Notes a field that breaks the contract, and how to mend it."""
        self.count += 1
        if self.count <= _MOST_KEPT:
            self._violations.append((path, description))

    def unbuilt(self, path: str, what: str) -> None:
        """Notes a field that asks for something designed, but not built yet."""
        self._gaps.append((path, what))

    def raise_any(self) -> None:
        """Raises InvalidArgument if anything is wrong, else Unimplemented if anything is not built yet."""
        if self._violations:
            raise InvalidArgument.of(self._violations)
        if self._gaps:
            text = "; ".join(f"{path}: {what}" for path, what in self._gaps[:5])
            raise Unimplemented(f"not built yet: {text}", reason=NOT_BUILT, metadata={"field": self._gaps[0][0]})


def shorten(text: str, most: int) -> str:
    """Returns a text of at most so many characters, with a mark where it was cut."""
    return text if len(text) <= most else text[: most - 1] + "…"
