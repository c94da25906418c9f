"""`penstock-admin`: care for a mesh's store, by those who run it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.options import AsJson
from penstock.cli.streams import give_up_output, is_text, prepare_streams

if TYPE_CHECKING:
    from penstock.v1.state_admin_pb2 import GetStoreStatsResponse
    from penstock.v1.state_admin_pb2_grpc import StateAdminServiceAsyncStub as Stub

EXAMPLES = """Try it, in the directory where penstockd runs:

penstock-admin state stats

penstock-admin state check

penstock-admin state export store.jsonl

penstock-admin state import store.jsonl --address unix:other.db.admin

penstockd serves administration at FILE.admin beside a SQLite file, to the user who owns it, and elsewhere with \
--admin-listen. PENSTOCK_ADMIN_ADDRESS says where. `penstock-admin state COMMAND --help` has examples.

Exit codes: 0 all is well; 1 something is not; 2 wrong usage; 3 the call failed; 130 Ctrl-C.
"""

CHECK_EXAMPLES = """Examples:

penstock-admin state check

penstock-admin state check --json | jq -r .detail

Nothing is changed, and the store serves meanwhile. Exit code 1 says that something is wrong.
"""

STATS_EXAMPLES = """Examples:

penstock-admin state stats

penstock-admin state stats --json | jq -r '.figures[] | select(.name == "unfinished_runs").count'
"""

VACUUM_EXAMPLES = """Examples:

penstock-admin state vacuum

Space comes free when logs, sessions and values are dropped, and is used again by what comes next; this gives it back \
to the system. It goes piece by piece while the store serves; Ctrl-C keeps what is done.
"""

EXPORT_EXAMPLES = """Examples:

penstock-admin state export store.jsonl

penstock-admin state export store.jsonl --resume

penstock-admin state export - | gzip > store.jsonl.gz

One JSON object a line, with the proto's field names (StoreRecord). Whatever stopped it, --resume goes on after the \
last whole line.
"""

IMPORT_EXAMPLES = """Examples:

penstock-admin state import store.jsonl

gunzip -c store.jsonl.gz | penstock-admin state import -

What is there already is compared and left as it is, so the same command again goes on where one was stopped. Exit \
code 1 says that something differed, which is named.
"""

Address = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="PENSTOCK_ADMIN_ADDRESS",
        help="Where the store is administered: unix:PATH or HOST:PORT.",
        metavar="ADDRESS",
    ),
]
DEFAULT_ADDRESS = "unix:penstock.db.admin"
File = Annotated[str, typer.Argument(help="The file; - is the standard stream.", metavar="FILE")]

app = typer.Typer(
    name="penstock-admin",
    help="Care for a mesh's store: look it over, count, and move it.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
state = typer.Typer(name="state", help="The store of the state layer.", no_args_is_help=True)
app.add_typer(state)


@app.callback()
def options() -> None:
    """Options of `penstock-admin` itself."""


@state.command(epilog=CHECK_EXAMPLES)
def check(as_json: AsJson = False, address: Address = DEFAULT_ADDRESS) -> None:
    """Look for damage: whether the store is whole, and its records agree with one another."""
    from penstock.cli.admin_calls import administer
    from penstock.cli.admin_check import checked

    async def look(stub: "Stub") -> int:
        return await checked(stub, as_json)

    if administer(address, look):
        raise typer.Exit(1)


@state.command(epilog=STATS_EXAMPLES)
def stats(as_json: AsJson = False, address: Address = DEFAULT_ADDRESS) -> None:
    """Count what the store holds, and tell how it keeps it."""
    from penstock.cli.admin_calls import administer
    from penstock.cli.admin_text import stats_text
    from penstock.cli.json_line import print_json
    from penstock.v1.state_admin_pb2 import GetStoreStatsRequest

    async def ask(stub: "Stub") -> "GetStoreStatsResponse":
        return await stub.GetStoreStats(GetStoreStatsRequest())

    found = administer(address, ask)
    if as_json:
        print_json(found)
    else:
        typer.echo(stats_text(found))


@state.command(epilog=VACUUM_EXAMPLES)
def vacuum(as_json: AsJson = False, address: Address = DEFAULT_ADDRESS) -> None:
    """Give space that nothing uses back to the system."""
    from penstock.cli.admin_calls import administer
    from penstock.cli.admin_vacuum import vacuumed

    async def work(stub: "Stub") -> bool:
        return await vacuumed(stub, as_json)

    if not administer(address, work):
        raise typer.Exit(1)


@state.command(epilog=EXPORT_EXAMPLES)
def export(
    file: File,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last whole line of the file.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew, whatever the file holds.")] = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Write all that the store holds into a file of JSON lines."""
    from penstock.cli.admin_calls import administer
    from penstock.cli.admin_export import exported, opened

    with opened(file, resume=resume, overwrite=overwrite) as target:

        async def work(stub: "Stub") -> None:
            await exported(stub, target)

        resumes = "" if file == "-" else "the same command with --resume goes on where this stopped"
        administer(address, work, resumes)


@state.command(name="import", epilog=IMPORT_EXAMPLES)
def import_(file: File, as_json: AsJson = False, address: Address = DEFAULT_ADDRESS) -> None:
    """Take an export into the store, without changing what is there."""
    from penstock.cli.admin_calls import administer
    from penstock.cli.admin_import import imported, opened

    with opened(file) as lines:

        async def work(stub: "Stub") -> bool:
            return await imported(stub, lines, as_json)

        if not administer(address, work, "the same command again goes on: what is there already is only compared"):
            raise typer.Exit(1)


def main() -> None:
    """Runs the command that was typed."""
    prepare_streams()
    for number, argument in enumerate(sys.argv[1:], 1):
        if not is_text(argument):
            print(f"error: argument {number} is not text in this terminal's encoding: {argument!r}", file=sys.stderr)
            sys.exit(2)
    try:
        app()
    except OSError as error:
        give_up_output()
        print(f"error: the output can't be written: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
