"""Which servers the suite runs on."""

import pytest

from tests.stores.binaries import redis, valkey
from tests.stores.kinds import USUAL


def test_valkey_is_always_there() -> None:
    """A package of the environment brings it."""
    assert valkey().exists()
    assert {"valkey", "cluster"}.issubset(USUAL)


def test_redis_is_one_of_the_stores_where_there_is_one() -> None:
    """What is left out is told."""
    if redis() is None:
        pytest.skip("no redis-server of version 7 or newer on PATH or in PENSTOCK_TEST_REDIS; Valkey stands for it")
    assert "redis" in USUAL
