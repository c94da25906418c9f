"""Chaos is for `make chaos`: it takes minutes, and `make test` leaves it out."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the choice of seed and length, so that a failure can be seen again."""
    parser.addoption("--chaos-seed", type=int, default=1, help="seed of the random choices")
    parser.addoption("--chaos-kills", type=int, default=20, help="processes to kill in each topology")
