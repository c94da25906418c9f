"""What a failed call means to the person who typed the command: what happened, which request, and what to do."""

import sys
from shlex import quote

from penstock.cli.patience import SHORT_PATIENCE
from penstock.cli.run_text import request_of
from penstock.cli.table import screen_width, wrapped
from penstock.cli.terminal import line, styled
from penstock.client import Cursor
from penstock.client.asking import UNREACHABLE
from penstock.client.client import DEFAULT_ADDRESS
from penstock.wire import errors
from penstock.wire.errors import PenstockError


def explain(error: PenstockError, address: str, cursor: Cursor | None = None) -> None:
    """Prints a failure to stderr; `cursor` is where the reading of a run had come to, if one was being read."""
    explain_with(error, _advice(error, address, cursor))


def explain_end(run_id: str, error: PenstockError, address: str) -> None:
    """Says on stderr why a run did not succeed, and which request finds the cause in the log."""
    explain_with(error, f"`penstock way {run_id}{at(address)}` shows how far it came")


def attach_command(run_id: str, address: str, cursor: Cursor | None = None) -> str:
    """Returns the command that reads on where the reading had come to."""
    after = f" --after {cursor.after_sequence}" if cursor and cursor.after_sequence else ""
    generation = f" --generation {cursor.generation}" if cursor and after and cursor.generation else ""
    return f"penstock attach {run_id}{after}{generation}{at(address)}"


def at(address: str) -> str:
    """Returns the `--address` option that a suggested command needs; nothing for the default."""
    return "" if address == DEFAULT_ADDRESS else f" --address {quote(address)}"


def explain_with(error: PenstockError, advice: str) -> None:
    """Prints a failure to stderr, with what to try."""
    width = screen_width() if sys.stderr.isatty() else None
    mark, _, message = wrapped(f"error: {line(error.message, None) or 'no reason was given'}", width).partition(" ")
    print(styled(mark, "31", sys.stderr), message, file=sys.stderr)
    facts = [("reason", error.reason), ("request", request_of(error)), ("try", advice)]
    for name, said in facts:
        if said:
            print(wrapped(f"{name:<8} {line(said, None)}", width, "  "), file=sys.stderr)


def _advice(error: PenstockError, address: str, cursor: Cursor | None) -> str:
    run_id = error.metadata.get("run_id", "")
    match error:
        case errors.Unavailable() if cursor is not None and run_id:
            return f"the run goes on without you; `{attach_command(run_id, address, cursor)}`"
        case errors.Unavailable(reason=reason) if reason == UNREACHABLE:
            return (
                "start a mesh with `penstockd` (in a checkout: `make up`), or say where one is with --address HOST:PORT"
            )
        case errors.Unavailable():
            away = f"`penstock status{at(address)}` tells which layer is away"
            # Up to then it was asked again and again, and in vain.
            later = error.retry_after or 0
            return f"again in {later:g} s; {away}" if later > SHORT_PATIENCE else away
        case errors.OverLimit():
            return f"again in {error.retry_after or 1:g} s"
        case errors.DataLoss():
            again = attach_command(run_id, address, Cursor(error.generation, error.last_common_sequence))
            return f"`{again}`; if you saw anything after event {error.last_common_sequence}, it was lost"
        case errors.OutOfRange():
            return f"`{attach_command(run_id, address, Cursor(0, error.first_sequence - 1))}`, the oldest that is kept"
        case errors.NotFound(reason="AGENT_NOT_FOUND"):
            return f"`penstock agents{at(address)}` lists the agents"
        case errors.NotFound(reason="RUN_NOT_FOUND"):
            return f"`penstock runs{at(address)}` lists the runs"
        case errors.NotFound(reason="TOOL_NOT_FOUND"):
            return f"`penstock tools{at(address)}` lists the tools"
        case errors.NotFound(reason="SESSION_NOT_FOUND"):
            return f"`penstock sessions{at(address)}` lists the conversations"
        case errors.AlreadyExists():
            return "another --key, or the same task and options as the first time"
        case errors.FailedPrecondition(reason="SESSION_BUSY") if "busy_run_id" not in error.metadata:
            session = quote(error.metadata.get("session", ""))
            return f"`penstock runs --session {session}{at(address)}` lists what goes on"
        case errors.FailedPrecondition(reason="SESSION_BUSY"):
            return "--on-busy enqueue, which waits for the session's turn"
        case errors.DeadlineExceeded(reason="NO_REPLY"):
            topic = quote(error.metadata.get("topic", ""))
            return f"does anybody answer there? `penstock events follow {topic}{at(address)}` shows what is asked"
        case errors.DeadlineExceeded() if run_id:
            return f"the run may still go on; `{attach_command(run_id, address)}`"
        case errors.DeadlineExceeded():
            return "again; the request id finds in the server's log what it waited for"
        case errors.Unimplemented(reason=reason) if reason != errors.NOT_BUILT:
            return f"is {address} a Penstock gateway of this version? `penstock status{at(address)}` tells"
        case errors.Internal():
            return "the request id finds the cause in the server's log"
    return ""
