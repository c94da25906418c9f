"""Addresses as people write them, one or several."""

import pytest

from penstock.client import Client
from penstock.client.addresses import addresses_in


@pytest.mark.parametrize(
    ("written", "doors"),
    [
        ("localhost:50051", ["localhost:50051"]),
        ("gw-a:50051,gw-b:50052", ["gw-a:50051", "gw-b:50052"]),
        ("gw-a:1, 10.0.0.1:2 ,[::1]:3,unix:/run/x.sock", ["gw-a:1", "10.0.0.1:2", "[::1]:3", "unix:/run/x.sock"]),
        ("ipv4:10.0.0.1:1,10.0.0.2:1", ["ipv4:10.0.0.1:1,10.0.0.2:1"]),
        ("ipv4:10.0.0.1:1,10.0.0.2:1,dns:///gw:1", ["ipv4:10.0.0.1:1,10.0.0.2:1", "dns:///gw:1"]),
        ("unix:/a,b.sock,unix:/c.sock", ["unix:/a,b.sock", "unix:/c.sock"]),
        (["gw-a:1", "gw-b:1", "gw-a:1"], ["gw-a:1", "gw-b:1"]),
        (("10.0.0.1:1,10.0.0.2:1", "gw:1"), ["10.0.0.1:1,10.0.0.2:1", "gw:1"]),
    ],
)
def test_each_address_is_a_door_of_its_own(written: str | list[str], doors: list[str]) -> None:
    """But a gRPC target that holds several ips stays one, which gRPC balances."""
    assert list(addresses_in(written)) == doors
    assert Client(written).address == ",".join(doors)


@pytest.mark.parametrize("written", ["", "gw-a:1,", "gw-a:1,gw-b", [], [""], ["gw-a:1", "x"], "ipv4:10.0.0.1:1,gw:1"])
def test_what_can_be_no_address_is_refused_and_says_how_to_write_it(written: str | list[str]) -> None:
    """Also where the others are right."""
    with pytest.raises(ValueError, match="host:port"):
        Client(written)
