"""Servers that many tests share: each is started when a test first asks for it, and ends with the tests."""

from collections.abc import Iterator

import pytest

from tests.stores.binaries import redis
from tests.stores.cluster import ValkeyCluster, cluster
from tests.stores.server import ValkeyServer, serving


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A standalone Valkey."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    with serving(server):
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A standalone Redis; the test is skipped where there is none."""
    binary = redis()
    if binary is None:
        pytest.skip("no redis-server of version 7 or newer on PATH or in PENSTOCK_TEST_REDIS")
    server = ValkeyServer(tmp_path_factory.mktemp("redis"), binary=binary)
    with serving(server):
        yield server


@pytest.fixture(scope="session")
def valkey_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyCluster]:
    """A Cluster of six Valkeys."""
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made
