"""What servers of a Cluster say about each other."""

import pytest

from penstock.state.redis.address import Endpoint
from penstock.state.redis.cluster_map import read_owners, read_redirection, read_replicas

ASKED = Endpoint("10.0.0.1", 7000)


@pytest.mark.parametrize(("told", "host"), [(b"10.0.0.2", "10.0.0.2"), (b"", "10.0.0.1"), (b"?", "10.0.0.1")])
def test_who_does_not_know_its_name_is_where_it_was_asked(told: bytes, host: str) -> None:
    """As primary, as replica, and in a redirection."""
    slots = [[0, 16383, [told, 7001, b"id"], [told, 7002, b"id"]]]
    assert set(read_owners(slots, ASKED)) == {Endpoint(host, 7001)}
    assert read_replicas(slots, ASKED) == {Endpoint(host, 7002)}
    assert read_redirection(f"MOVED 5 {told.decode()}:7001", ASKED) == (5, Endpoint(host, 7001))
