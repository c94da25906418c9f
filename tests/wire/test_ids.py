"""Names: which are allowed, and how a run's name follows from what its caller said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.wire.ids import digest, is_id, random_id, run_id_for

parts = st.lists(st.text(max_size=5), max_size=4)


@pytest.mark.parametrize("name", ["a", "A.b_c:d-9", "x" * 128, "-", "run-abc"])
def test_names_of_the_alphabet_are_allowed(name: str) -> None:
    """Up to 128 characters of it."""
    assert is_id(name)


@pytest.mark.parametrize("name", ["", "x" * 129, "a b", "a/b", "a\n", "ä", "a\x00", "٣"])
def test_all_else_is_no_name(name: str) -> None:
    """A line break at the end, and digits of other scripts, included."""
    assert not is_id(name)


@given(st.text(max_size=20), st.text(max_size=20))
def test_the_same_tenant_and_key_are_the_same_run(tenant: str, key: str) -> None:
    """On every machine and for ever, so that a retry finds what it started."""
    assert run_id_for(tenant, key) == run_id_for(tenant, key)
    assert is_id(run_id_for(tenant, key))


def test_a_runs_name_does_not_change_between_versions() -> None:
    """Stored runs would be started again by a retry that crosses an upgrade."""
    assert run_id_for("default", "key-1") == "run-5unigko5fo4rkfwfq3rmyv7kaq"


@given(parts, parts)
def test_no_two_lists_of_parts_have_one_digest(one: list[str], other: list[str]) -> None:
    """Tenant `a` with key `bc` is not tenant `ab` with key `c`."""
    assert (digest(*one) == digest(*other)) == (one == other)


def test_new_names_are_names_and_never_the_same() -> None:
    """Each holds 128 random bits behind its prefix."""
    made = {random_id("req") for _ in range(1000)}
    assert len(made) == 1000
    assert all(is_id(name) and name.startswith("req-") and len(name) == 30 for name in made)
