"""What Ctrl-C means while a run is watched."""

import sys

from penstock.cli.terminal import can_ask, note, styled


def wants_cancel(run_id: str) -> bool:
    """Asks whether to cancel the run; no where nobody can be asked, and where the answer is none."""
    if not can_ask():
        return False
    note(f"\n{run_id} goes on, unless you cancel it.")
    question = "Enter leaves it going, c and Enter cancels it: "
    print(styled(question, "1", sys.stderr), end="", file=sys.stderr, flush=True)
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        answer = ""
    if not answer.endswith("\n"):
        print(file=sys.stderr)
    return answer.strip().lower() in ("c", "cancel")
