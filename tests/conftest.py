"""What holds for all tests."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.stores.shared import redis_server, valkey, valkey_cluster

__all__ = ["redis_server", "valkey", "valkey_cluster"]


def pytest_configure() -> None:
    """Lets Ctrl-C reach the processes that tests start, also where the tests run in a shell's background.

    A shell starts background jobs with SIGINT ignored, and whoever ignores a signal hands that on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Each of the hundreds of processes that tests start would else compile all that it imports anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Else an example that a busy machine interrupts for a fifth of a second fails its test.
    settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Lets a run of the tests keep to some stores."""
    parser.addoption(
        "--stores", default="", help="stores to test, with commas between: sqlite,sqlite-full,valkey,redis,cluster"
    )
    parser.addoption("--histories", type=int, default=1, help="how many histories of each kind are looked at")
    parser.addoption("--examples", type=int, default=20, help="how often each store is compared with its model")
