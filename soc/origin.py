"""Whether what reaches us comes from this machine."""

from __future__ import annotations

from collections.abc import Container
from ipaddress import ip_address

_BY_PROXIES = ("forwarded", "x-forwarded-for", "x-real-ip")


def is_loopback(host: str) -> bool:
    """`host`: an address, or a name; of names only `localhost` is."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def from_this_machine(address: str | None, headers: Container[str]) -> bool:
    """A request by the address of who connected, None if that is not known. One that a proxy on this machine passed on is not.

    `headers`: asked for names in lower case.
    """
    return address is not None and is_loopback(address) and not any(name in headers for name in _BY_PROXIES)
