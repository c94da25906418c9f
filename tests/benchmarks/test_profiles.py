"""Whom a profile blames."""

import sys
from pathlib import Path

from benchmarks.process import spawn
from benchmarks.profiles import Place, read_cprofile, read_stacks
from benchmarks.traced import __file__ as traced

STACKS = """\
main (/a/bin/penstockd:8);Runner.run (/lib/python3.11/asyncio/runners.py:118) 3
Runner.run (/lib/python3.11/asyncio/runners.py:118);Database.flush (/a/servers/penstock/state/sqlite/database.py:40) 5
Runner.run (/lib/python3.11/asyncio/runners.py:118);Database.flush (/a/servers/penstock/state/sqlite/database.py:44) 2
send (/app/.venv/lib/python3.11/site-packages/grpc/aio/_call.py:20) 4
Any (/app/.venv/lib/python3.11/site-packages/google/protobuf/json_format.py:2) 1
_find (<frozen importlib._bootstrap>:7) 1
"""

PROGRAM = """
import sqlite3
database = sqlite3.connect(":memory:")
for number in range(2000):
    database.execute("SELECT ?", (number,)).fetchone()
"""


def test_samples_count_for_the_innermost_functions_module_and_lines_of_one_function_together() -> None:
    """Penstock is told apart by layer, everything else by package."""
    assert read_stacks(STACKS) == {
        Place("asyncio", "runners.Runner.run"): 3,
        Place("penstock.state", "database.Database.flush"): 7,
        Place("grpc", "_call.send"): 4,
        Place("google.protobuf", "json_format.Any"): 1,
        Place("importlib", "_find"): 1,
    }


async def test_a_traced_program_is_blamed_for_what_c_code_took_for_it(tmp_path: Path) -> None:
    """The methods of SQLite's connection are SQLite's, in a profile of a program of its own."""
    program, output = tmp_path / "program.py", tmp_path / "program.profile"
    program.write_text(PROGRAM)
    process = await spawn([sys.executable, traced, str(output), str(program)], tmp_path / "program.log")
    assert await process.wait() == 0, (tmp_path / "program.log").read_text()
    found = read_cprofile(output)
    assert found[Place("sqlite3", "method 'execute' of 'sqlite3.Connection' objects")] > 0
    assert found[Place("builtins", "method builtins.compile")] > 0
