"""A model server, and meshes with the agent `model` behind it."""

import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from penstock.client import Client
from tests.models.model_mesh import ModelMesh
from tests.models.model_process import ModelProcess
from tests.telemetry.collector import Collector, collecting

KEY = "sk-secret-4711"
INSTRUCTIONS = "Answer in one word."


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the tests of this folder in the loop in which the processes were started, and on one worker."""
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        if inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        for shared in {"mesh", "split_mesh"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(f"model-{shared}"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def model_server() -> AsyncIterator[ModelProcess]:
    """Starts the model server, and stops it when all tests are done."""
    server = await ModelProcess.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def collector() -> AsyncIterator[Collector]:
    """Collects the spans of the mesh."""
    async with collecting() as collector:
        yield collector


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh(
    model_server: ModelProcess, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ModelMesh]:
    """Starts a mesh in one process that exports its spans, with a key and instructions for the model."""
    running = ModelMesh("one process", tmp_path_factory.mktemp("model"), url=model_server.url)
    try:
        await running.start(
            OPENAI_API_KEY=KEY,
            PENSTOCK_MODEL__INSTRUCTIONS=INSTRUCTIONS,
            PENSTOCK_MODEL__MAX_TURNS="5",
            PENSTOCK_MODEL__TEMPERATURE="0.5",
            COUNTED_IN=str(running.directory / "counted"),
            **collector.environment,
        )
        yield running
    finally:
        await running.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def client(mesh: ModelMesh) -> AsyncIterator[Client]:
    """Gives a client of the mesh."""
    async with mesh.client() as client:
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def split_mesh(model_server: ModelProcess, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModelMesh]:
    """Starts a mesh with a process per layer, without a key; who kills one starts it again."""
    running = ModelMesh("process per layer", tmp_path_factory.mktemp("split"), url=model_server.url)
    try:
        await running.start(
            OPENAI_API_KEY="",
            PENSTOCK_LAYERS__ORCHESTRATOR__LEASE_SECONDS="1",
            COUNTED_IN=str(running.directory / "counted"),
        )
        yield running
    finally:
        await running.stop()
