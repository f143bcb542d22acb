"""How entries of lists and values of events are spelt when they are compared: two that mean the same are spelt alike."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from rules.predicate import fold
from soc.model.indicator import ListType

LONGEST = 2048  # characters
_HEX = re.compile(r"[0-9a-fA-F]+")
_HASH_DIGITS = (32, 40, 64, 128)
_MAPPED = b"\0" * 10 + b"\xff\xff"  # IPv4 written as IPv6


def spelt(kind: ListType, entry: str) -> str:
    """An entry as it is kept. Raises ValueError that says what is wrong with it."""
    entry = entry.strip()
    if not entry:
        raise ValueError("it is empty")
    if len(entry) > LONGEST:
        raise ValueError(f"it has {len(entry)} characters; at most {LONGEST} are allowed")
    if any(ord(letter) < 32 for letter in entry):
        raise ValueError("it holds control characters")
    return _ENTRY[kind](entry)


def _ip(entry: str) -> str:
    if packed := packed_address(entry):
        return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        raise ValueError("it is neither an address nor a CIDR block") from None
    if network.prefixlen == 0:
        raise ValueError("it is every address there is")
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def packed_address(text: str) -> bytes | None:
    """4 or 16 bytes; None for what is no address."""
    try:
        if ":" not in text:
            return socket.inet_pton(socket.AF_INET, text)
        packed = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def block(entry: str) -> tuple[int, int, int]:
    """An entry as (version, first address, bits of the prefix)."""
    if packed := packed_address(entry):
        return (4 if len(packed) == 4 else 6), int.from_bytes(packed), 8 * len(packed)
    network: IPv4Network | IPv6Network = ip_network(entry)
    return network.version, int(network.network_address), network.prefixlen


def _domain(entry: str) -> str:
    below = "." if entry.startswith((".", "*.")) else ""
    name = domain(entry.removeprefix("*").removeprefix("."))
    if not name or not all(0 < len(label) <= 63 for label in name.split(".")) or len(name) > 253 or " " in name:
        raise ValueError("it is no name of a domain")
    if not re.fullmatch(r"[a-z0-9_.-]+", name):
        raise ValueError("it is no name of a domain")
    if below and "." not in name:
        raise ValueError("it is everything below a top-level domain")
    return below + name


def domain(text: str) -> str:
    """A name as it is compared: lower case, letters of other scripts in punycode, without a dot at its end."""
    name = text.rstrip(".")
    if not name.isascii():
        try:
            name = name.lower().encode("idna").decode()
        except UnicodeError:
            return ""
    return name.lower()


def _hash(entry: str) -> str:
    if not _HEX.fullmatch(entry) or len(entry) not in _HASH_DIGITS:
        raise ValueError("it is no MD5, SHA-1, SHA-256 or SHA-512 in hex digits")
    return entry.lower()


def _url(entry: str) -> str:
    found = url(entry)
    if not found or found.startswith("/"):
        raise ValueError("it is no URL with a host")
    return found


def url(text: str) -> str:
    """Without scheme, the scheme's own port and fragment; the host as a domain is compared. Empty for what is no URL."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port = parts.port
    except ValueError:
        return ""
    host = domain(parts.hostname or "")
    if not host:
        return ""
    odd = port is not None and port != {"http": 80, "https": 443, "ftp": 21}.get(parts.scheme.lower())
    query = f"?{parts.query}" if parts.query else ""
    return f"{host}{f':{port}' if odd else ''}{parts.path or '/'}{query}"


_ENTRY: Mapping[ListType, Callable[[str], str]] = {
    ListType.IP: _ip,
    ListType.DOMAIN: _domain,
    ListType.HASH: _hash,
    ListType.URL: _url,
    ListType.TEXT: fold,
}


def asked(kind: ListType, value: str, depths: frozenset[int]) -> Iterator[str]:
    """The entries any of which a value would pass by. Not of addresses. `depths`: how many labels the domains have in the list that
    stand for those below them, too."""
    match kind:
        case ListType.DOMAIN:
            if name := domain(value):
                yield name
                if depths:
                    labels = name.split(".")
                    yield from ("." + ".".join(labels[-depth:]) for depth in depths if depth <= len(labels))
        case ListType.HASH:
            # Sysmon has several in one value: SHA1=...,MD5=...,IMPHASH=...
            for part in value.split(",") if "," in value or "=" in value else (value,):
                yield part.rpartition("=")[2].strip().lower()
        case ListType.URL:
            yield url(value)
        case _:
            yield fold(value)
