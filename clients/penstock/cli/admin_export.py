"""`penstock-admin state export`: from the stream to the file."""

import os
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import typer

from penstock.cli.admin_text import bytes_text
from penstock.cli.amounts import count
from penstock.cli.progress import progress
from penstock.cli.record_line import from_line, to_line
from penstock.cli.terminal import note
from penstock.v1.state_admin_pb2 import ExportRecordsRequest

if TYPE_CHECKING:
    from penstock.v1.state_admin_pb2_grpc import StateAdminServiceAsyncStub as Stub

_BLOCK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """Represents a file to be written, and the cursor of the record that it ends with; empty: it has none.

    `overwritten` says that what it holds goes when there is something to take its place.
    """

    file: BinaryIO
    name: str
    after: str
    complete: bool = False
    overwritten: bool = False


@contextmanager
def opened(name: str, *, resume: bool, overwrite: bool) -> Generator[Target]:
    """Opens the file for a block; one that holds something is written to only when that was asked for."""
    if resume and overwrite:
        raise typer.BadParameter("goes on, and --overwrite begins anew; choose one", param_hint="--resume")
    if name == "-":
        if resume:
            raise typer.BadParameter("needs a file: a stream has no last line", param_hint="--resume")
        yield Target(sys.stdout.buffer, "stdout", "")
        return
    path = Path(name)
    if path.is_dir():
        raise typer.BadParameter(f"{name} is a directory", param_hint="FILE")
    there = path.exists() and path.stat().st_size > 0
    if there and not (resume or overwrite):
        raise typer.BadParameter(f"{name} is there already; add --resume or --overwrite", param_hint="FILE")
    # What a store holds is for the eyes of those who run it.
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise typer.BadParameter(f"{name} can't be written: {error.strerror}", param_hint="FILE") from None
    with open(descriptor, "r+b") as file:
        if overwrite or not there:
            yield Target(file, name, "", overwritten=True)
            return
        line = _last_line(file)
        try:
            record = from_line(line) if line else None
        except ValueError as error:
            raise typer.BadParameter(f"{name} is no export: its last line {error}", param_hint="FILE") from None
        yield Target(
            file, name, record.cursor if record else "", complete=record is not None and record.HasField("end")
        )


async def exported(stub: "Stub", target: Target) -> None:
    """Writes the records after those that the file has, and says on stderr what they were."""
    if target.complete:
        note(f"{target.name} is whole already")
        return
    written: Counter[str] = Counter()
    size = 0
    with progress() as shown:
        stream = stub.ExportRecords(ExportRecordsRequest(after_cursor=target.after))
        async for response in stream:
            if target.overwritten and not written:
                target.file.truncate(0)
            for record in response.records:
                data = to_line(record).encode()
                target.file.write(data)
                size += len(data)
                written[record.WhichOneof("record") or ""] += 1
            target.file.flush()
            shown.tell(f"{count(written.total(), 'record')}, {bytes_text(size)}")
    if target.file is not sys.stdout.buffer:
        os.fsync(target.file.fileno())
    kinds = (("value", "value"), ("session", "session"), ("run", "run"), ("topic", "topic"))
    parts = [count(written[kind], name) for kind, name in kinds if written[kind]]
    note(f"wrote {', '.join(parts) or 'nothing'} to {target.name}: {bytes_text(size)}")


def _last_line(file: BinaryIO) -> str:
    """Returns the last whole line, and cuts off what stands behind it."""
    end = file.seek(0, os.SEEK_END)
    tail = b""
    while end > 0 and tail.count(b"\n") < 2:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        tail = file.read(end - begin) + tail
        end = begin
    whole, newline, _ = tail.rpartition(b"\n")
    file.seek(end + len(whole) + len(newline))
    file.truncate()
    return whole.rpartition(b"\n")[2].decode(errors="replace")
