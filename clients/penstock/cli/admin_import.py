"""`penstock-admin state import`: from the file to the store."""

import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer

from penstock.cli.amounts import count
from penstock.cli.json_line import print_json_object
from penstock.cli.progress import progress
from penstock.cli.record_line import from_line
from penstock.cli.streams import is_text
from penstock.cli.terminal import line, note, styled
from penstock.v1.state_admin_pb2 import ImportOutcome, ImportRecordsRequest, StoreRecord

if TYPE_CHECKING:
    from penstock.v1.state_admin_pb2_grpc import StateAdminServiceAsyncStub as Stub

# Of one call, which may carry 4 MiB.
_MOST_RECORDS: Final = 500
_MOST_BYTES: Final = 512 * 1024


@contextmanager
def opened(name: str) -> Generator[Iterable[str]]:
    """Opens the file for a block."""
    if name == "-":
        yield sys.stdin
        return
    try:
        file = open(name, encoding="utf-8", errors="surrogateescape")  # noqa: SIM115 - closed below; here what fails is the usage
    except OSError as error:
        raise typer.BadParameter(f"{name} can't be read: {error.strerror}", param_hint="FILE") from None
    with file:
        yield file


async def imported(stub: "Stub", lines: Iterable[str], as_json: bool) -> bool:
    """Has the store take in all records, prints what differed, and tells whether all of it is there now."""
    outcomes: Counter[str] = Counter()
    whole = False
    number = 0
    with progress() as shown:
        for batch in _batches(lines):
            response = await stub.ImportRecords(ImportRecordsRequest(records=[record for _, record in batch]))
            for (number, record), result in zip(batch, response.results, strict=True):
                whole = record.HasField("end")
                outcome = ImportOutcome.Name(result.outcome).removeprefix("IMPORT_OUTCOME_").lower()
                if record.WhichOneof("record") not in ("header", "end"):
                    outcomes[outcome] += 1
                if outcome == "conflict":
                    shown.clear()
                    _show(number, result.detail, as_json)
            shown.tell(f"line {number:,}: " + ", ".join(f"{many:,} {outcome}" for outcome, many in outcomes.items()))
    if as_json:
        print_json_object({"records": outcomes.total(), "whole": whole, **outcomes})
    else:
        said = [
            f"{outcomes[name]:,} {name}" for name in ("written", "present", "expired", "conflict") if outcomes[name]
        ]
        typer.echo(f"took in {count(outcomes.total(), 'record')}" + (f": {', '.join(said)}" if said else ""))
    if not whole:
        note("the export has no end, so it is not whole: finish it with `penstock-admin state export FILE --resume`")
    return whole and not outcomes["conflict"]


def _batches(lines: Iterable[str]) -> Iterator[list[tuple[int, StoreRecord]]]:
    """Reads records with their lines' numbers, as many as go into a call."""
    batch: list[tuple[int, StoreRecord]] = []
    size = 0
    for number, text in enumerate(lines, 1):
        if not text.endswith("\n"):
            break  # the writer was stopped in the middle of it
        if not is_text(text):
            raise typer.BadParameter(f"line {number} is damaged: it is not UTF-8", param_hint="FILE")
        try:
            record = from_line(text)
        except ValueError as error:
            raise typer.BadParameter(f"line {number} {line(str(error))}", param_hint="FILE") from None
        if number == 1 and not record.HasField("header"):
            raise typer.BadParameter("line 1 is not the beginning of an export", param_hint="FILE")
        added = record.ByteSize()
        if batch and (len(batch) == _MOST_RECORDS or size + added > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((number, record))
        size += added
    if batch:
        yield batch


def _show(number: int, detail: str, as_json: bool) -> None:
    if as_json:
        print_json_object({"line": number, "conflict": detail})
    else:
        print(f"{styled('conflict', '31', sys.stdout)} line {number}: {line(detail, None)}", flush=True)
