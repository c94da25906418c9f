"""Chaos is for `make chaos`: it takes minutes, and `make test` leaves it out."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the choice of seed and length, so that a failure can be seen again."""
    parser.addoption("--chaos-seed", type=int, default=1, help="seed of the random choices")
    parser.addoption("--chaos-kills", type=int, default=20, help="processes to kill in each topology")
    parser.addoption("--soak-seconds", type=float, default=600.0, help="how long the soak goes on over each store")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of the random choices."""
    return int(request.config.getoption("--chaos-seed"))


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often something is to be killed."""
    return int(request.config.getoption("--chaos-kills"))
