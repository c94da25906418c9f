"""Where a client's doors are, from the way people write it."""

import re
from collections.abc import Sequence
from typing import Final

from penstock.wire.target import grpc_target

_SCHEME: Final = r"(?:dns|ipv4|ipv6|unix|unix-abstract|xds):"
_BETWEEN_TARGETS: Final = re.compile(rf"\s*,\s*(?={_SCHEME})")
_BETWEEN_ADDRESSES: Final = re.compile(r"\s*,\s*")


def addresses_in(address: str | Sequence[str]) -> tuple[str, ...]:
    """Returns the address of each door, in order and each once, of a text with commas or of one text for each.

    Behind a gRPC target's scheme a comma belongs to the target (`ipv4:a,b` is one door with two replicas behind it),
    unless another scheme follows. Raises ValueError that says how to write an address.
    """
    if isinstance(address, str):
        between = _BETWEEN_TARGETS if re.match(_SCHEME, address) else _BETWEEN_ADDRESSES
        addresses = between.split(address)
    else:
        addresses = list(address)
    for one in addresses:
        grpc_target(one)
    if not addresses:
        raise ValueError("no address is given; write host:port")
    return tuple(dict.fromkeys(addresses))
