"""Every store against a plain model: whatever is done, in whatever order, the two agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as bounds
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from penstock.state.settings import StateSettings
from tests.state.models.limits_machine import LimitsMachine
from tests.state.models.ownership_machine import OwnershipMachine
from tests.state.models.run_log_machine import RunLogMachine
from tests.state.models.served import Served
from tests.state.models.sessions_machine import HISTORY_LIMIT, SessionsMachine
from tests.state.models.topics_machine import TopicsMachine
from tests.state.models.values_machine import ValuesMachine
from tests.stores.kinds import Kind

Machine = Callable[[Served], RuleBasedStateMachine]


@pytest.fixture
def replicas(kind: Kind) -> int:
    """How many state processes there are over the store."""
    return 1 if kind.store.startswith("sqlite") else 2


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    """How often a store is compared."""
    number: int = request.config.getoption("--examples")
    return number


def compare(settings: StateSettings, replicas: int, examples: int, machine: Machine) -> None:
    """Lets a machine compare the store with its model; what it does is the same each time."""
    bounded = bounds(
        max_examples=examples,
        stateful_step_count=40,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),  # how long a store takes is no matter here
    )
    with Served(settings, replicas) as served:
        run_state_machine_as_test(lambda: machine(served), settings=bounded)


def test_values_do_as_a_dictionary_does(settings: StateSettings, replicas: int, examples: int) -> None:
    """Two tenants' values, under keys that look like patterns, separators and tags."""
    compare(settings, replicas, examples, ValuesMachine)


def test_sessions_do_as_lists_do(settings: StateSettings, replicas: int, examples: int) -> None:
    """Messages once each, cut at the turns' boundaries, read from either end; data by version across a delete."""
    compare(replace(settings, history_limit=HISTORY_LIMIT), replicas, examples, SessionsMachine)


def test_a_run_log_does_as_a_list_with_fences_does(settings: StateSettings, replicas: int, examples: int) -> None:
    """Owners, attempts, zombies and repeats write, and every reader reads what was taken, from anywhere."""
    compare(settings, replicas, examples, RunLogMachine)


def test_ownership_does_as_its_books_say(settings: StateSettings, replicas: int, examples: int) -> None:
    """Turns pass within each session, leases come and go, and a run is claimed exactly when nobody drives it."""
    compare(settings, replicas, examples, OwnershipMachine)


def test_limits_do_as_counters_do(settings: StateSettings, replicas: int, examples: int) -> None:
    """Tokens are taken from all buckets or none; a reservation counts once, however often it is asked for."""
    compare(settings, replicas, examples, LimitsMachine)


def test_topics_do_as_a_list_and_a_cursor_do(settings: StateSettings, replicas: int, examples: int) -> None:
    """A group gets each event until it has answered for it, or had it five times, whoever its member was."""
    compare(settings, replicas, examples, TopicsMachine)
