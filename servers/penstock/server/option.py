"""One thing that can be configured, and one value that was given for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]

# Reads a value as it came from a file (typed) or as text; raises ValueError that says how to mend it.
Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Option:
    """Represents a key of the configuration.

    `read` reads values from the file, `read_text` those from the environment and flags. `entries` says that the key
    is a table whose entries people name themselves; `read` and `read_text` then read one entry.
    """

    path: Path
    default: Any
    read: Reader
    read_text: Reader
    entries: bool = False

    @property
    def key(self) -> str:
        """The path as people write it."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Given:
    """Represents a value, where it was given, and whether it is text that stands for another type."""

    path: Path
    value: Any
    origin: str
    textual: bool

    @property
    def key(self) -> str:
        """The path as people write it."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Mistake:
    """Represents what is wrong with one value, and how to mend it."""

    key: str
    origin: str
    text: str

    def __str__(self) -> str:
        return f"{self.key} ({self.origin}): {self.text}" if self.origin else f"{self.key}: {self.text}"


class ConfigError(ValueError):
    """The configuration has mistakes; the text lists all of them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        count = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("\n".join([f"the configuration has {count}:", *(f"  {mistake}" for mistake in mistakes)]))
        self.mistakes = tuple(mistakes)
