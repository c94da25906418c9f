"""Lines that a person types, or that a script gives."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

import typer

from penstock.cli.streams import is_text
from penstock.cli.terminal import has_styles, line, note

PROMPT: Final = "> "


class Prompt:
    """Reads lines: with a prompt and line editing on a terminal, as they come elsewhere."""

    def __init__(self) -> None:
        self.interactive = sys.stdin.isatty()
        if self.interactive:
            # Python can be built without it; lines are then typed without editing.
            with suppress(ImportError):
                import readline  # noqa: F401 - input() edits lines once it was imported

    def remember(self, texts: Iterable[str]) -> None:
        """Lets the arrow keys bring back what was said before."""
        if self.interactive and (readline := sys.modules.get("readline")) is not None:
            for text in texts:
                readline.add_history(line(text, None))

    def lines(self) -> Iterator[str]:
        """Yields lines until the end of the input; Ctrl-C drops what was typed of one."""
        while True:
            try:
                read = self._read()
                if is_text(read):
                    yield read
                elif self.interactive:
                    note("that is not text in this terminal's encoding, and was not said")
                else:
                    raise typer.BadParameter("a line of it is not UTF-8", param_hint="stdin")
            except KeyboardInterrupt:
                print(file=sys.stderr)
            except EOFError:
                if self.interactive:
                    print(file=sys.stderr)
                return

    def _read(self) -> str:
        if not self.interactive:
            read = sys.stdin.readline()
            if not read:
                raise EOFError
            return read.rstrip("\n")
        if not sys.stdout.isatty():
            # The prompt is no part of what is piped on.
            print(PROMPT, end="", file=sys.stderr, flush=True)
            return input()
        # Between \x01 and \x02 stands what takes no column, for line editing to know.
        return input(f"\x01\x1b[1;36m\x02{PROMPT}\x01\x1b[0m\x02" if has_styles(sys.stdout) else PROMPT)
