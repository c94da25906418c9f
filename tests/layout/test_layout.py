"""The layout is the architecture, and stays easy to see."""

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = ("generated", "servers", "clients")
WRITTEN = sorted(path for root in ("servers", "clients") for path in (ROOT / root).rglob("*.py"))


@pytest.mark.parametrize("root", ROOTS)
def test_a_namespace_root_has_no_init_file(root: str) -> None:
    """One would break the editable install, while the wheel would still import."""
    assert not (ROOT / root / "penstock" / "__init__.py").exists()


def test_every_package_is_typed() -> None:
    """Each portion of the namespace tells type checkers that it has types."""
    packages = [path for root in ROOTS for path in (ROOT / root / "penstock").iterdir() if path.is_dir()]
    packages = [path for path in packages if path.name != "__pycache__"]
    assert len(packages) == 13
    assert [path.name for path in packages if not (path / "py.typed").exists()] == []


def test_files_stay_small() -> None:
    """A file is one concept: the median has about 80 lines, and none has more than 400."""
    sizes = {path: len(path.read_text().splitlines()) for path in WRITTEN if path.name != "__init__.py"}
    assert statistics.median(sizes.values()) <= 90
    assert [str(path) for path, size in sizes.items() if size > 400] == []


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "manager", "base", "misc"])
def test_no_file_has_a_name_that_says_nothing(word: str) -> None:
    """A file's name says what is in it."""
    assert [str(path) for path in WRITTEN if path.stem == word] == []


def test_the_command_line_imports_nothing_heavy_before_it_is_needed() -> None:
    """`penstock --help` waits neither for grpc nor for pydantic, yaml or the servers."""
    script = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from penstock.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = {'grpc', 'pydantic', 'yaml', 'google.protobuf', 'penstock.server', 'uvloop'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_version_is_that_of_the_installed_package() -> None:
    """One place says it: pyproject.toml."""
    from importlib.metadata import version

    assert f'version = "{version("penstock")}"' in (ROOT / "pyproject.toml").read_text()


def test_no_code_relies_on_how_except_star_raises() -> None:
    """What is raised in one comes out in a group before Python 3.11.4, and bare from then on."""
    code = [path for root in ("clients", "servers") for path in (ROOT / root).rglob("*.py")]
    assert code
    assert not [path for path in code if "except*" in path.read_text().replace("`except*`", "")]
