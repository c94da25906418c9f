"""Running meshes: one in a single process, one with a process per layer, and one with two of each over Redis."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from penstock.client import Client
from tests.topologies.mesh import Mesh

TOPOLOGIES = ("one process", "process per layer", "two of each")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the tests of this folder in the loop in which the meshes' processes were started."""
    for item in items:
        if "topologies" in item.path.parts:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            # Meshes that tests share are started on one worker only.
            for shared in {"meshes", "pair"}.intersection(getattr(item, "fixturenames", ())):
                item.add_marker(pytest.mark.xdist_group(shared))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def meshes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Mesh]]:
    """Starts all meshes, and stops them when all tests are done."""
    running: dict[str, Mesh] = {}
    try:
        for topology in TOPOLOGIES:
            running[topology] = Mesh(topology, tmp_path_factory.mktemp(topology.replace(" ", "-")))
            await running[topology].start()
        yield running
    finally:
        for mesh in running.values():
            await mesh.stop()


@pytest.fixture(params=TOPOLOGIES)
def mesh(request: pytest.FixtureRequest, meshes: dict[str, Mesh]) -> Mesh:
    """Gives each mesh in turn."""
    return meshes[request.param]


@pytest_asyncio.fixture(loop_scope="session")
async def client(mesh: Mesh) -> AsyncIterator[Client]:
    """Gives a client of the mesh."""
    async with mesh.client() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session", params=TOPOLOGIES[:2])
async def own_mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    """Gives a mesh of the test's own, whose processes it may kill; leases are short."""
    mesh = Mesh(request.param, tmp_path_factory.mktemp("own"))
    try:
        await mesh.start(PENSTOCK_LAYERS__ORCHESTRATOR__LEASE_SECONDS="1")
        yield mesh
    finally:
        await mesh.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def split_mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    """Gives a mesh of the test's own with a process per layer."""
    mesh = Mesh("process per layer", tmp_path_factory.mktemp("split"))
    try:
        await mesh.start(PENSTOCK_LAYERS__ORCHESTRATOR__LEASE_SECONDS="1")
        yield mesh
    finally:
        await mesh.stop()
