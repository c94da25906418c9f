"""People write addresses; gRPC gets targets, or they are told how to write them."""

import pytest

from penstock.wire.target import grpc_target


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("localhost:50051", "dns:///localhost:50051"),
        ("state.mesh.internal:443", "dns:///state.mesh.internal:443"),
        ("127.0.0.1:50051", "ipv4:127.0.0.1:50051"),
        ("10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        ("[::1]:50051", "ipv6:[::1]:50051"),
        ("[::1]:1,[::2]:2", "ipv6:[::1]:1,[::2]:2"),
        ("dns:///state:50051", "dns:///state:50051"),
        ("ipv4:10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        ("unix:/run/penstock.sock", "unix:/run/penstock.sock"),
    ],
)
def test_an_address_becomes_a_target(address: str, target: str) -> None:
    assert grpc_target(address) == target


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost",
        "localhost:",
        ":50051",
        "localhost:0",
        "localhost:65536",
        "localhost:http",
        "http://localhost:50051",
        "a.example:1,b.example:2",
        "127.0.0.1:1,localhost:2",
        "127.0.0.1:1,[::1]:2",
        "::1:50051",
        "[nonsense]:1",
        "two words:1",
        "127.0.0.1:1,",
        "dns:///",
        "unix:",
        "ipv4:localhost:1",
        "ipv6:127.0.0.1:1",
    ],
)
def test_a_malformed_address_says_how_to_write_it(address: str) -> None:
    with pytest.raises(ValueError, match="write host:port"):
        grpc_target(address)
