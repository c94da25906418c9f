"""Starting penstockd with a model: what it needs, what it says, and what it does without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.client import errors
from tests.models.conftest import KEY
from tests.models.model_mesh import ModelMesh
from tests.models.reading import failure
from tests.topologies.mesh import ROOT, Daemon

PENSTOCKD = str(Path(sys.executable).with_name("penstockd"))
MODEL = ("--model", "tiny")
URL = ("--model-url", "http://127.0.0.1:9/v1")


def start(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs penstockd until it ends by itself."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PENSTOCK_", "OPENAI_"))}
    return subprocess.run(
        [PENSTOCKD, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=directory,
        env=kept | environment,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (MODEL, "add --model-url http://HOST:PORT/v1"),
        (URL, "model.url (--model-url): is given, but no model to go with it; add --model NAME"),
        ((*MODEL, *URL, "--agent", "model=tests.topologies.agents:echo"), "agents.model (--agent): is the name of"),
        ((*MODEL, "--model-url", "127.0.0.1:11434/v1"), "write for example http://127.0.0.1:11434/v1"),
        ((*MODEL, "--model-url", "http://me:pass-4711@host/v1"), "give the key as OPENAI_API_KEY"),
    ],
)
def test_a_mistake_is_told_with_what_mends_it(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    """Half a configuration ends the start with exit code 2, and a text that names the flag to add or change."""
    ended = start(tmp_path, *arguments, "--app-dir", str(ROOT))
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "4711" not in ended.stderr


def test_a_missing_extra_is_named_at_the_start(tmp_path: Path) -> None:
    """Where pydantic-ai is not installed, penstockd says what to install before anything serves."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pydantic_ai'] = None\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    ended = start(tmp_path, *MODEL, *URL, PYTHONPATH=path)
    assert ended.returncode == 2
    assert "pip install 'pydantic-ai-slim[openai]>=2.68'" in ended.stderr


def test_the_key_is_shown_nowhere(tmp_path: Path) -> None:
    """The printed configuration has the model and no key, which is none of its values."""
    ended = start(tmp_path, *MODEL, *URL, "--print-config", OPENAI_API_KEY=KEY)
    assert ended.returncode == 0
    assert 'name = "tiny"' in ended.stdout
    assert KEY not in ended.stdout + ended.stderr


@pytest.mark.parametrize("key", ["sk-47\n11", "sk-4711ä"])
def test_a_key_that_cannot_be_sent_is_told_at_the_start(tmp_path: Path, key: str) -> None:
    """A key with a line break or an accent in it would fail every request: it ends the start, and is not shown."""
    ended = start(tmp_path, *MODEL, *URL, OPENAI_API_KEY=key)
    assert ended.returncode == 2
    assert "OPENAI_API_KEY has a character that no key has" in ended.stderr
    assert "sk-47" not in ended.stderr


async def test_a_client_that_cannot_be_imported_fails_runs_and_not_the_mesh(tmp_path: Path) -> None:
    """What is broken is found after the start: the mesh serves, and the model's runs say where to look."""
    (tmp_path / "pydantic_ai").mkdir()
    (tmp_path / "pydantic_ai" / "__init__.py").write_text("raise ImportError('secret-4711')\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    mesh = ModelMesh("one process", tmp_path, url=URL[1])
    try:
        await mesh.start(PYTHONPATH=path)
        async with mesh.client() as client:
            error = await failure(client, "normal")
    finally:
        await mesh.stop()
    assert (type(error), error.reason) == (errors.Internal, "MODEL_NOT_LOADED")
    assert "4711" not in error.message
    assert "ImportError: secret-4711" in mesh.logs()


async def test_the_banner_names_the_model_and_openai_needs_only_a_key(tmp_path: Path) -> None:
    """With a key and no URL the model is OpenAI's own; the banner says where it is, and not the key."""
    daemon = Daemon("openai", [*MODEL], tmp_path, environment={"OPENAI_API_KEY": KEY})
    await daemon.start()
    assert await daemon.stop() == 0
    said = daemon.log.read_text()
    assert "tiny at https://api.openai.com/v1" in said
    assert KEY not in said


@pytest.mark.parametrize("model", [False, True])
def test_what_is_slow_to_import_is_imported_only_for_a_model(model: bool) -> None:
    """Serving an executor loads pydantic-ai and openai when it has a model, and else never."""
    code = f"""
import asyncio, sys
from penstock.executor.layer import open_executor
from penstock.executor.model.settings import ModelSettings
from penstock.executor.settings import ExecutorSettings
from penstock.wire.in_process import InProcessChannel, InProcessServer

async def main():
    nobody = InProcessChannel(InProcessServer("nobody"))
    model = ModelSettings("tiny", "http://127.0.0.1:9/v1") if {model} else None
    async with open_executor(ExecutorSettings(model=model), state=nobody, tools=nobody, instance_id="one"):
        assert not {{"pydantic_ai", "openai"}} & set(sys.modules), "imported before it could serve"
    print(*sys.modules)

asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ({"pydantic_ai", "openai"} <= set(ended.stdout.split())) is model
