"""Addresses of Redis: what they may say, and that what is wrong with one is told without its secrets."""

import pytest

from penstock.state.open_store import open_store
from penstock.state.redis.address import Endpoint, parse_address
from penstock.state.settings import StateSettings
from penstock.v1.run_pb2 import Durability


def test_an_address_says_where_as_whom_and_how() -> None:
    """Users and passwords are written with %XX; without a port it is 6379, without a number database 0."""
    address = parse_address(
        "redis://bob:p%40ss%2F%23@cache.example:6380/3?namespace=blue&replicas=2&durability=replica"
    )
    assert address.endpoints == (Endpoint("cache.example", 6380),)
    assert (address.user, address.password, address.database) == ("bob", "p@ss/#", 3)
    assert (address.namespace, address.replicas, address.durability) == ("blue", 2, Durability.DURABILITY_REPLICA)
    assert (address.cluster, address.tls) == (False, None)
    bare = parse_address("redis://[::1]")
    assert (bare.endpoints, bare.database, bare.replicas) == ((Endpoint("::1", 6379),), 0, None)


def test_a_cluster_may_be_entered_at_several_places() -> None:
    """Any of them may be away at the start."""
    address = parse_address("rediss+cluster://:secret@one:7000,two:7001,three")
    assert [str(endpoint) for endpoint in address.endpoints] == ["one:7000", "two:7001", "three:6379"]
    assert address.cluster
    assert address.tls is not None
    assert address.tls.check_hostname


def test_no_text_of_an_address_has_its_password() -> None:
    """Neither as it is shown nor as Python prints it."""
    address = parse_address("redis://bob:hunter2@host")
    assert "hunter2" not in f"{address} {address!r}"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:hunter2/3@host", "%2F"),
        ("redis://:hunter2#3@host", "%23"),
        ("redis://:hunter2@ho st", "host:port"),
        ("redis://:hunter2@host:99999", "host:port"),
        ("redis://:hunter2[@host", "%5B"),
        ("redis://:hunter2@a,b", "redis+cluster"),
        ("redis://:hunter2@host/x", "number"),
        ("redis+cluster://:hunter2@host/1", "only database 0"),
        ("redis://:hunter2@host?namespace=a:b", "namespace"),
        ("redis://:hunter2@host?replicas=many", "replicas"),
        ("redis://:hunter2@host?durability=forever", "process, power, replica"),
        ("redis://:hunter2@host?pool=3", "no option 'pool'"),
        ("redis://:hunter2@host?ssl_certfile=x", "with rediss:// ?ssl_ca_certs"),
        ("rediss://:hunter2@host?ssl_ca_certs=/nowhere/ca.pem", "the file of ssl_ca_certs can't be used: No such file"),
        ("rediss://:hunter2@host?ssl_keyfile=/nowhere/key.pem", "ssl_certfile"),
        ("rediss://:hunter2@host?ssl_check_hostname=maybe", "yes or no"),
        ("redis://:hunter2@host?replicas=1&replicas=2", "twice"),
        ("redsi://:hunter2@host", "no store 'redsi'"),
        (":hunter2@host", "names no store"),
    ],
)
def test_what_is_wrong_with_an_address_is_told_without_its_password(url: str, told: str) -> None:
    """Before anything is started, with how to write it."""
    with pytest.raises(ValueError, match=r"write |must be |needs |can't be used") as raised:
        open_store(StateSettings(url=url))
    assert told in str(raised.value)
    assert "hunter2" not in str(raised.value)
