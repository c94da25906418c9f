"""Concurrent clients of every store, one and several state processes, with and without broken connections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests.linearizability.claims import ClaimModel
from tests.linearizability.conversations import ConversationModel
from tests.linearizability.history import History
from tests.linearizability.planted import with_get_then_set, with_length_then_push
from tests.linearizability.registers import RegisterModel
from tests.linearizability.sites import breaking_site, quiet_site
from tests.linearizability.workloads import ClaimClient, SessionClient, ValueClient, play
from tests.stores.kinds import Kind

CLIENTS = 6
STEPS = 20
# Over breaking connections so much must have been answered, some must not, and so many have changed something.
BROKEN = {"answered": 0.6, "unknown": 1}
TRIES = 5


@pytest.fixture
def cut_store(request: pytest.FixtureRequest, kind: Kind) -> Callable[[], None]:
    """Breaks all connections to the nodes of a Cluster."""
    if kind.store != "cluster":
        return lambda: None
    cut: Callable[[], None] = request.getfixturevalue("valkey_cluster").cut_connections
    return cut


@dataclass(frozen=True, slots=True)
class Breaking:
    """Plays histories over connections that break, at a store of its own each."""

    kind: Kind
    new_url: Callable[[], str]
    cut_store: Callable[[], None]

    async def play(self, seed: int, new_client: Callable[[], Any]) -> tuple[History, Any, str]:
        """Returns a history, the client that made it, and where.

        One in which breaks were nearly all that a busy machine had time for proves nothing, and another is made.
        """
        for turn in range(TRIES):
            url, client = self.new_url(), new_client()
            async with breaking_site(self.kind, url, CLIENTS, self.cut_store) as site:
                history = await play(site, seed + 1_000_000 * turn, client, STEPS)
            if history.has_enough(**BROKEN):
                break
        return history, client, url


@pytest.fixture
def breaking(kind: Kind, new_url: Callable[[], str], cut_store: Callable[[], None]) -> Breaking:
    """Histories over connections that break."""
    return Breaking(kind, new_url, cut_store)


async def test_values_are_linearizable(kind: Kind, url: str, seed: int) -> None:
    """Each key's reads, writes, deletes and swaps have one order that explains every answer."""
    async with quiet_site(kind, url, CLIENTS) as site:
        history = await play(site, seed, ValueClient(), STEPS)
    history.verify(RegisterModel())


async def test_values_are_linearizable_over_broken_connections(breaking: Breaking, seed: int) -> None:
    """An answer that was lost counts as a write at any later time, or never."""
    history, _, _ = await breaking.play(seed, ValueClient)
    history.verify(RegisterModel(), **BROKEN)


async def test_appends_to_sessions_are_linearizable(kind: Kind, url: str, seed: int) -> None:
    """Every append has its place in one order, and its answer says which."""
    async with quiet_site(kind, url, CLIENTS) as site:
        history = await play(site, seed, SessionClient(), STEPS)
    history.verify(ConversationModel.of)


async def test_appends_to_sessions_are_linearizable_over_broken_connections(breaking: Breaking, seed: int) -> None:
    """Messages sent again find their first place."""
    history, _, _ = await breaking.play(seed, SessionClient)
    history.verify(ConversationModel.of, **BROKEN)


async def test_claims_are_linearizable(kind: Kind, url: str, seed: int) -> None:
    """A run has one owner at a time, each with a new epoch, and none is left behind."""
    client = ClaimClient(runs=8)
    async with quiet_site(kind, url, CLIENTS) as site:
        history = await play(site, seed, client, STEPS)
        await client.none_is_stranded(site.clients[0], [f"client-{number}" for number in range(CLIENTS)])
    history.verify(ClaimModel())


async def test_claims_are_linearizable_over_broken_connections(breaking: Breaking, seed: int) -> None:
    """A claim whose answer was lost, and its repeat by the same name, are one claim."""
    history, client, url = await breaking.play(seed, partial(ClaimClient, runs=8))
    async with quiet_site(breaking.kind, url, 1) as site:
        await client.none_is_stranded(site.clients[0], [f"client-{number}" for number in range(CLIENTS)])
    history.verify(ClaimModel(), **BROKEN)


async def test_a_swap_that_gets_then_sets_is_caught(kind: Kind, url: str, seed: int) -> None:
    """Two clients win by the same version, or a lost write shows."""
    async with quiet_site(kind, url, CLIENTS, with_get_then_set) as site:
        history = await play(site, seed, ValueClient(), 2 * STEPS)
    assert _caught(history, RegisterModel())


async def test_an_append_that_takes_the_length_then_pushes_is_caught(kind: Kind, url: str, seed: int) -> None:
    """Two messages are told the same place."""
    async with quiet_site(kind, url, CLIENTS, with_length_then_push) as site:
        history = await play(site, seed, SessionClient(), STEPS)
    assert _caught(history, ConversationModel.of)


def _caught(history: History, model: Any) -> bool:
    try:
        history.verify(model)
    except AssertionError as error:
        return "not linearizable" in f"{error}"
    return False
