"""What Ctrl-C means while a run is watched."""

import os
import select
import sys
from typing import Final

from penstock.cli.terminal import can_ask, note, styled

_LOOK_SECONDS: Final = 0.1


def wants_cancel(run_id: str) -> bool:
    """Asks whether to cancel the run; no where nobody can be asked, and where the answer is none."""
    if not can_ask():
        return False
    note(f"\n{run_id} goes on, unless you cancel it.")
    question = "Enter leaves it going, c and Enter cancels it: "
    print(styled(question, "1", sys.stderr), end="", file=sys.stderr, flush=True)
    try:
        answer = _read_line()
    except KeyboardInterrupt:
        answer = ""
    if not answer.endswith("\n"):
        print(file=sys.stderr)
    return answer.strip().lower() in ("c", "cancel")


def _read_line() -> str:
    # Ctrl-C ends a wait, but comes too late for one that is just about to begin: so none is long until there is a line.
    # Windows can't wait for a terminal, and has no such gap.
    while os.name == "posix" and not select.select([sys.stdin], [], [], _LOOK_SECONDS)[0]:
        pass
    return sys.stdin.readline()
