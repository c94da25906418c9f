"""`penstock-admin` as operators meet it: against real processes, by exit codes, files and words."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage

from penstock.cli.admin_text import bytes_text
from penstock.cli.record_line import from_line, to_line
from penstock.v1.state_admin_pb2 import StoreRecord

BIN = Path(sys.executable).parent
EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True, slots=True)
class Said:
    """Represents how a command ended, and what it said."""

    code: int | None
    out: str
    err: str


async def command(name: str, directory: Path, *arguments: str, given: bytes = b"") -> Said:
    """Runs a command to its end."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")} | {"COLUMNS": "80"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        BIN / name, *arguments, cwd=directory, env=clean, stdin=pipe, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(90):
        out, err = await process.communicate(given)
    return Said(process.returncode, out.decode(), err.decode())


async def state(directory: Path, *arguments: str, given: bytes = b"") -> Said:
    """Runs `penstock-admin state`."""
    return await command("penstock-admin", directory, "state", *arguments, given=given)


@asynccontextmanager
async def serving(directory: Path, *arguments: str) -> AsyncGenerator[dict[str, Any]]:
    """Runs penstockd in a directory for the block, and gives what it says of itself."""
    process = await asyncio.create_subprocess_exec(
        BIN / "penstockd",
        *("--listen", "127.0.0.1:0", "--app-dir", str(EXAMPLES), "--agent", "echo=echo:echo"),
        *("--ready-file", "ready.json", *arguments),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(90):
            async for line in process.stdout:
                if line.startswith(b"Try:"):
                    break
        yield json.loads((directory / "ready.json").read_text())
    finally:
        process.terminate()
        await process.communicate()


def said_in(path: Path) -> list[Any]:
    """The records of an export, without cursors, begin and end."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [record for record in records if "header" not in record and "end" not in record and record.pop("cursor")]


async def exported(directory: Path, file: Path, ended: int) -> None:
    """Exports once the ends of so many runs have been published, which comes after their callers heard of them."""
    async with asyncio.timeout(30):
        while True:
            done = await state(directory, "export", str(file), "--overwrite")
            assert done.code == 0, done
            if f"{said_in(file)}".count("run.succeeded") == ended:
                return


@pytest.mark.parametrize(("file", "advice"), [("a.jsonl", "--resume goes on where this stopped"), ("-", "")])
async def test_ctrl_c_in_an_export_says_how_to_go_on(tmp_path: Path, file: str, advice: str) -> None:
    """The command is stopped while it waits for a server that never answers; a stream can't be resumed."""
    connected: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda reader, writer: connected.set_result(writer), "127.0.0.1", 0)
    async with server, asyncio.timeout(30):
        port = server.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(BIN / "penstock-admin", "state", "export", file, "--address", f"127.0.0.1:{port}"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        writer = await connected
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        writer.close()
    assert process.returncode == 130
    assert err.decode().strip() == (f"stopped; the same command with {advice}" if advice else "")


async def test_an_address_that_administers_nothing_and_a_file_that_can_t_be_written_are_named(tmp_path: Path) -> None:
    """The door is taken for administration easily, and over Redis there is none unless it is asked for."""
    async with serving(tmp_path) as facts:
        door = await state(tmp_path, "check", "--address", facts["listen"])
        lost = await state(tmp_path, "export", "nowhere/store.jsonl")
    assert door.code == 3
    assert f"no store is administered at {facts['listen']}" in door.err
    assert "over Redis it does so with --admin-listen" in " ".join(door.err.split())
    assert lost.code == 2
    assert "nowhere/store.jsonl can't be written" in " ".join(lost.err.replace("│", " ").split())


async def test_a_store_is_counted_checked_and_moved(tmp_path: Path) -> None:
    """Stats, check, export and import work where penstockd runs, and what was moved exports the same."""
    (old := tmp_path / "old").mkdir()
    (new := tmp_path / "new").mkdir()
    async with serving(old) as facts:
        ran = await command("penstock", old, "run", "a b c", "--agent", "echo", "--address", facts["listen"])
        assert ran.code == 0
        stats = await state(old, "stats", "--json")
        figures = {figure["name"]: int(figure.get("count", 0)) for figure in json.loads(stats.out)["figures"]}
        assert figures["runs"] == 1
        shown = await state(old, "stats")
        assert "runs " in shown.out
        assert "version 2" in shown.out
        # A path is there to be copied, and stays whole.
        assert max(len(line) for line in shown.out.splitlines() if not line.startswith("where")) <= 80
        checked = await state(old, "check")
        assert (checked.code, checked.out[:16]) == (0, "nothing is wrong")
        assert (await state(old, "vacuum")).out.startswith("gave back")
        exported = await state(old, "export", "../store.jsonl")
        assert exported.code == 0
        assert "1 run" in exported.err
    async with serving(new):
        taken = await state(new, "import", "../store.jsonl")
        assert taken.code == 0, taken
        assert "written" in taken.out
        again = await state(new, "import", "-", given=(tmp_path / "store.jsonl").read_bytes())
        assert again.code == 0
        assert "written" not in again.out
        assert (await state(new, "export", "../again.jsonl")).code == 0
    assert said_in(tmp_path / "again.jsonl") == said_in(tmp_path / "store.jsonl")


async def test_an_export_that_was_cut_off_goes_on_after_its_last_whole_line(tmp_path: Path) -> None:
    """Wherever the file ends, --resume makes of it what it would have been; without, nothing is overwritten."""
    whole = tmp_path / "whole.jsonl"
    part = tmp_path / "part.jsonl"
    async with serving(tmp_path) as facts:
        for text in ("one", "two"):
            session = ("--session", text, "--address", facts["listen"])
            assert (await command("penstock", tmp_path, "run", text, "--agent", "echo", *session)).code == 0
        await exported(tmp_path, whole, 2)
        data = whole.read_bytes()
        for length in (0, 10, data.index(b"\n") + 1, len(data) // 2, len(data) - 3, len(data)):
            part.write_bytes(data[:length])
            assert (await state(tmp_path, "export", part.name, "--resume")).code == 0
            assert said_in(part) == said_in(whole)
            assert "end" in json.loads(part.read_text().splitlines()[-1])
        refused = await state(tmp_path, "export", part.name)
        assert (refused.code, said_in(part)) == (2, said_in(whole))
        assert (await state(tmp_path, "export", part.name, "--overwrite")).code == 0
        streamed = await state(tmp_path, "export", "-")
        assert [json.loads(line).keys() for line in streamed.out.splitlines()] == [
            json.loads(line).keys() for line in whole.read_text().splitlines()
        ]
        (tmp_path / "text.txt").write_text("some text\n")
        assert (await state(tmp_path, "export", "text.txt", "--resume")).code == 2
    assert stat.S_IMODE(whole.stat().st_mode) == 0o600


async def test_an_import_tells_what_it_could_not_take(tmp_path: Path) -> None:
    """A file without its end, one with a record that differs, and one that is no export each end with their code."""
    async with serving(tmp_path) as facts:
        ran = await command("penstock", tmp_path, "run", "a", "--agent", "echo", "--address", facts["listen"])
        assert ran.code == 0
        assert (await state(tmp_path, "export", "x.jsonl")).code == 0
        lines = (tmp_path / "x.jsonl").read_text().splitlines(keepends=True)
        (tmp_path / "part.jsonl").write_text("".join(lines[:-1]))
        part = await state(tmp_path, "import", "part.jsonl")
        assert (part.code, "not whole" in part.err) == (1, True)
        (tmp_path / "other.jsonl").write_text("".join(lines).replace('"text":"a"', '"text":"b"'))
        other = await state(tmp_path, "import", "other.jsonl")
        assert other.code == 1
        assert "conflict line" in other.out
        (tmp_path / "none.jsonl").write_text('{"a": 1}\n')
        broken = "".join(lines).encode().replace(b'"text":"a"', b'"text":"\xff"')
        (tmp_path / "broken.jsonl").write_bytes(broken)
        for damaged in (
            await state(tmp_path, "import", "broken.jsonl"),
            await state(tmp_path, "import", "-", given=broken),
        ):
            assert damaged.code == 2
            assert "is not UTF-8" in damaged.err
        none = await state(tmp_path, "import", "none.jsonl")
        assert none.code == 2
        assert "line 1" in none.err
        assert (await state(tmp_path, "import", "absent.jsonl")).code == 2


async def test_damage_ends_the_check_with_one(tmp_path: Path) -> None:
    """What is wrong is told with how to mend it."""
    async with serving(tmp_path) as facts:
        ran = await command("penstock", tmp_path, "run", "a", "--agent", "echo", "--address", facts["listen"])
        assert ran.code == 0
    with closing(sqlite3.connect(tmp_path / "penstock.db", isolation_level=None)) as connection:
        assert connection.execute("DELETE FROM specs").rowcount == 1
    async with serving(tmp_path):
        checked = await state(tmp_path, "check")
        as_json = await state(tmp_path, "check", "--json")
    assert checked.code == as_json.code == 1
    assert "SPEC_MISSING" in checked.out
    assert "to mend it" in checked.out
    assert json.loads(as_json.out.splitlines()[0])["kind"] == "SPEC_MISSING"


async def test_where_nothing_is_administered_that_is_said(tmp_path: Path) -> None:
    """Nobody there, a wrong address, and the public door, which does not know the service."""
    (tmp_path / "old.jsonl").write_text("an export\n")
    assert (await state(tmp_path, "export", "old.jsonl", "--overwrite")).code == 3
    assert (tmp_path / "old.jsonl").read_text() == "an export\n"  # until there is something to take its place
    nobody = await state(tmp_path, "stats")
    assert nobody.code == 3
    assert "--address" in nobody.err
    assert (await state(tmp_path, "stats", "--address", "nonsense")).code == 2
    async with serving(tmp_path, "--admin-listen", "none", "--inner-listen", "127.0.0.1:0") as facts:
        assert facts["admin_listen"] == ""
        assert not (tmp_path / "penstock.db.admin").exists()
        for door in (facts["listen"], facts["inner_listen"]):
            refused = await state(tmp_path, "stats", "--address", door)
            assert refused.code == 3
            assert "UNIMPLEMENTED" in refused.err


async def test_help_imports_nothing_heavy() -> None:
    """What people read while they think is there at once."""
    program = (
        "import sys; sys.argv = ['penstock-admin', 'state', 'export', '--help']\n"
        "from penstock.cli.admin import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('grpc', 'google.protobuf', 'asyncio') if name in sys.modules], file=sys.stderr)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert b"--resume" in out
    assert err.decode().strip() == "[]"


def test_a_record_with_parts_that_json_can_not_say_keeps_its_bytes() -> None:
    """Details of an error may be of any kind; such a record comes back all the same."""
    record = StoreRecord(cursor="c")
    record.run.record.run.error.details.append(AnyMessage(type_url="type.googleapis.com/no.such.Thing", value=b"\1"))
    line = to_line(record)
    assert "packed" in line
    assert from_line(line) == record


@pytest.mark.parametrize("line", ["", "x", "[]", "7", '{"unknown": {}}', '{"packed": "!"}', '{"packed": "AA=="}'])
def test_lines_that_are_no_record_are_told(line: str) -> None:
    """Whatever stands there, it is told and nothing else is raised."""
    with pytest.raises(ValueError, match="is "):
        from_line(line)


def test_sizes_are_written_for_people() -> None:
    """Three digits, in the unit that fits."""
    assert [bytes_text(size) for size in (0, 1023, 1536, 1023 * 1024, 5 * 2**30)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "1023 KiB",
        "5 GiB",
    ]
