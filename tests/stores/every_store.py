"""Runs a test on every store: what a conftest imports to give its tests `kind`, `url` and `settings`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from penstock.state.settings import StateSettings
from tests.stores.kinds import KINDS, STORES, USUAL, Kind

__all__ = ["kind", "new_url", "pytest_configure", "pytest_generate_tests", "second_url", "settings", "url"]


def pytest_configure(config: pytest.Config) -> None:
    """Names the mark that keeps a test to some stores."""
    config.addinivalue_line("markers", "stores(*names): the test is about these stores only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test on every kind of store.

    Over TCP, which changes nothing about what a store does, only those run that call a house and have no other
    parameters: each promise, but not each example of it.
    """
    if "kind" not in metafunc.fixturenames:
        return
    stores = list(USUAL)
    if asked := metafunc.config.getoption("--stores"):
        stores = asked.split(",")
    if unknown := set(stores).difference(STORES):
        raise pytest.UsageError(f"--stores: no such store: {', '.join(sorted(unknown))}")
    for mark in metafunc.definition.iter_markers("stores"):
        stores = [store for store in stores if store in mark.args]
    over_tcp = "house" in metafunc.fixturenames and metafunc.definition.get_closest_marker("parametrize") is None
    kinds = [kind for kind in KINDS if kind.store in stores and (over_tcp or not kind.over_tcp)]
    metafunc.parametrize("kind", kinds, ids=str, indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Kind:
    """The kind of store that the test runs on."""
    found: Kind = request.param
    return found


@pytest.fixture
def url(request: pytest.FixtureRequest, kind: Kind, tmp_path: Path) -> str:
    """The address of an empty store."""
    return _empty_store(request, kind, tmp_path)


@pytest.fixture
def second_url(request: pytest.FixtureRequest, kind: Kind, tmp_path: Path) -> str:
    """The address of another empty store, for tests whose house is over the first."""
    return _empty_store(request, kind, tmp_path)


@pytest.fixture
def new_url(request: pytest.FixtureRequest, kind: Kind, tmp_path: Path) -> Callable[[], str]:
    """Gives the address of one more empty store at each call."""
    return partial(_empty_store, request, kind, tmp_path)


@pytest.fixture
def settings(url: str) -> StateSettings:
    """Settings of an empty store, everything else as it is by default."""
    return StateSettings(url=url)


def _empty_store(request: pytest.FixtureRequest, kind: Kind, directory: Path) -> str:
    name = uuid4().hex
    match kind.store:
        case "sqlite":
            return f"sqlite:///{directory}/{name}.db"
        case "sqlite-full":
            return f"sqlite:///{directory}/{name}.db?synchronous=full"
    fixture = {"valkey": "valkey", "redis": "redis_server", "cluster": "valkey_cluster"}[kind.store]
    # A namespace of its own keeps a test apart from those that the server has served before.
    return f"{request.getfixturevalue(fixture).url}?namespace=test-{name}"
