"""Where a remote service is: the address a person writes, as the target gRPC understands."""

import re
from ipaddress import ip_address

_SCHEMES = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "xds:")

# Underscores are no part of the standard, but of the names that container engines give.
_NAME = re.compile(r"[^\W.][\w-]*(\.[^\W.][\w-]*)*\.?")

_HOW = (
    "write host:port, several ip:port with commas between, "
    "or one of dns:///host:port, ipv4:ip:port,…, ipv6:[ip]:port,…, unix:/path"
)


def grpc_target(address: str) -> str:
    """Returns the gRPC target for an address (`host:port[,host:port]`, or a target already).

    Raises ValueError that says how to write it.
    """
    for scheme in _SCHEMES:
        if address.startswith(scheme):
            if not address.removeprefix(scheme).strip("/"):
                raise _malformed(address, f"nothing follows {scheme}")
            if scheme in ("ipv4:", "ipv6:") and _scheme_of(address.removeprefix(scheme), address) != scheme:
                raise _malformed(address, f"not all of it is {scheme.rstrip(':')}")
            return address
    scheme = _scheme_of(address, address)
    return f"dns:///{address}" if scheme == "dns:" else scheme + address


def _scheme_of(endpoints: str, address: str) -> str:
    schemes = {_scheme_of_one(endpoint, address) for endpoint in endpoints.split(",")}
    if len(schemes) > 1:
        raise _malformed(address, "addresses of different kinds don't go together")
    (scheme,) = schemes
    if scheme == "dns:" and "," in endpoints:
        raise _malformed(address, "only ip addresses can be listed; let one name resolve to several")
    return scheme


def _scheme_of_one(endpoint: str, address: str) -> str:
    host, colon, port = endpoint.rpartition(":")
    if not colon or not host:
        raise _malformed(address, f"{endpoint!r} has no host or no port")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _malformed(address, f"{port!r} is no port between 1 and 65535")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        version = ip_address(host[1:-1] if bracketed else host).version
    except ValueError:
        if bracketed or not _NAME.fullmatch(host):
            raise _malformed(address, f"{host!r} is no host name or ip address") from None
        return "dns:"
    if bracketed != (version == 6):
        raise _malformed(address, "an IPv6 address, and no other, stands in brackets")
    return f"ipv{version}:"


def _malformed(address: str, why: str) -> ValueError:
    return ValueError(f"{address!r} is no address: {why}; {_HOW}")
