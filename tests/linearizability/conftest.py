"""Every store again, with as many histories of each kind as are asked for."""

import pytest

from tests.stores import every_store
from tests.stores.every_store import kind, new_url, pytest_configure, settings, url

__all__ = ["kind", "new_url", "pytest_configure", "settings", "url"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives each history a seed."""
    every_store.pytest_generate_tests(metafunc)
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(1, 1 + metafunc.config.getoption("--histories")))
