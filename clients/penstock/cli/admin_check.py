"""`penstock-admin state check`, from the stream to the screen."""

import sys
from typing import TYPE_CHECKING

import typer

from penstock.cli.amounts import count
from penstock.cli.json_line import print_json
from penstock.cli.progress import progress
from penstock.cli.table import screen_width, wrapped
from penstock.cli.terminal import line, styled
from penstock.v1.state_admin_pb2 import CheckStoreRequest, StoreProblem

if TYPE_CHECKING:
    from penstock.v1.state_admin_pb2_grpc import StateAdminServiceAsyncStub as Stub


async def checked(stub: "Stub", as_json: bool) -> int:
    """Has the store looked over, prints what is wrong as it is found, and returns how much it is."""
    found = looked_at = 0
    complete = False
    with progress() as shown:
        stream = stub.CheckStore(CheckStoreRequest())
        async for response in stream:
            for problem in response.problems:
                shown.clear()
                _show(problem, as_json)
            found += len(response.problems)
            looked_at = response.looked_at or looked_at
            complete = response.complete
            if response.looking_at:
                shown.tell(f"looking at {response.looking_at} ({count(looked_at, 'record')} so far)")
    if not complete:
        found += 1
        print("error: the check ended before everything was looked at; run it again", file=sys.stderr)
    elif not as_json:
        end = f"{count(found, 'problem')} found" if found else "nothing is wrong"
        typer.echo(f"{end}; looked at {count(looked_at, 'record')}")
    return found


def _show(problem: StoreProblem, as_json: bool) -> None:
    if as_json:
        print_json(problem)
        return
    width = screen_width()
    print(styled(problem.kind, "31", sys.stdout), flush=True)
    print(wrapped(line(problem.detail, None), width, "  "))
    print(wrapped(f"to mend it: {line(problem.remedy, None)}", width, "  "), flush=True)
