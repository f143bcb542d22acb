"""Where a webhook may go. Whoever may make a route must not reach, through us, what only this machine can reach."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from soc.errors import ConfigError
from soc.notify.channel import Undelivered

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# (host, port) -> the addresses that it has; raises OSError.
Resolve = Callable[[str, int], Sequence[str]]

_NAT64 = ip_network("64:ff9b::/96")
# Protocol assignments; Teredo and 6to4, which nobody uses any more but to hide an IPv4 address.
_NEVER = tuple(map(ip_network, ("192.0.0.0/24", "2001::/32", "2002::/16")))


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Raises `ConfigError`."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigError(f"notify.allowed_networks: {error}: write for example 10.1.2.0/24") from None


def resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def choose(host: str, port: int, allowed: Sequence[Network], resolver: Resolve, *, encrypted: bool) -> str:
    """The one address to connect to. Raises `Undelivered`.

    Every address of the name has to be allowed: with one bad among them, the next look could bring that one.
    """
    try:
        addresses = [ip_address(text) for text in resolver(host, port)]
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a name"
        raise Undelivered(f"{host} has no address: {reason}", again=True) from None
    if not addresses:
        raise Undelivered(f"{host} has no address", again=True)
    for address in addresses:
        inside = _inside(address, allowed)
        if not inside and not public(address):
            # Which address it is stays here: whoever makes routes is not to learn the names of a network inside.
            raise Undelivered(
                f"{host} is not on the Internet: an administrator of this server may allow it (notify.allowed_networks)"
            )
        if not inside and not encrypted:
            raise Undelivered(f"http:// to {host} would be readable on the way: use https://")
    return str(addresses[0])


def public(address: Address) -> bool:
    """Whether it is on the Internet: not loopback, private, link-local (metadata services), multicast or reserved, also not in disguise."""
    if isinstance(address, IPv6Address):
        if (inner := _disguised(address)) is not None:
            return public(inner)
        if address.is_site_local:
            return False
    if any(address in network for network in _NEVER):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _disguised(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped or a NAT64 address stands for."""
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.ipv4_mapped


def _inside(address: Address, allowed: Sequence[Network]) -> bool:
    plain = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any((plain or address) in network for network in allowed)
