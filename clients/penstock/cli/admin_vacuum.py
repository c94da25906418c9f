"""`penstock-admin state vacuum`, from the stream to the screen."""

from typing import TYPE_CHECKING

import typer

from penstock.cli.admin_text import bytes_text
from penstock.cli.json_line import print_json
from penstock.cli.progress import progress
from penstock.cli.table import screen_width, wrapped
from penstock.cli.terminal import line
from penstock.v1.state_admin_pb2 import VacuumStoreRequest, VacuumStoreResponse

if TYPE_CHECKING:
    from penstock.v1.state_admin_pb2_grpc import StateAdminServiceAsyncStub as Stub


async def vacuumed(stub: "Stub", as_json: bool) -> bool:
    """Has space given back, prints how much it was, and tells whether it could be."""
    last = VacuumStoreResponse()
    with progress() as shown:
        async for response in stub.VacuumStore(VacuumStoreRequest()):
            last = response
            if as_json:
                print_json(response)
            shown.tell(f"gave back {bytes_text(last.freed_bytes)}, {bytes_text(last.left_bytes)} to go")
    if not as_json:
        left = f"; {bytes_text(last.left_bytes)} are unused still" if last.left_bytes else ""
        typer.echo(f"gave back {bytes_text(last.freed_bytes)}{left}")
        if last.note:
            typer.echo(wrapped(line(last.note, None), screen_width()))
    return not (last.note and last.left_bytes)
