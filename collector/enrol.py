"""What a source may be called and be, and its token."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Iterable, Sequence

from collector.parse.record import zone_of
from collector.parse.registry import PARSERS
from collector.probe.target import MAX_TARGETS, parse_target
from soc.errors import ConfigError, Conflict
from soc.model.source import Source, Transport

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TAKEN = ("new", "preview")  # by the addresses of pages
# The name is in the token, so that a token that was revoked or cut short still says whose it was to be. `~` is in no name.
_TOKEN = re.compile(rf"govsoc_src_({_NAME.pattern})~")


def new_token(source_id: str) -> str:
    """A token as RFC 6750 allows it, with 256 random bits."""
    return f"govsoc_src_{source_id}~{secrets.token_urlsafe(32)}"


def token_hash(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def claimed_source(token: str) -> str | None:
    """The source that a token says it is of, whether it is valid or not."""
    found = _TOKEN.match(token)
    return found[1] if found else None


def check(source: Source) -> None:
    """Raises `ConfigError` for a source that cannot be: which part, and what it has to look like."""
    if not _NAME.fullmatch(source.id) or source.id in _TAKEN:
        raise ConfigError(
            f"{source.id!r} is no source name: small letters, digits, `.`, `-` and `_`, at most 64, not new or preview"
        )
    if not _NAME.fullmatch(source.org.lower()):
        raise ConfigError(f"{source.org!r} is no agency code: letters, digits, `.`, `-` and `_`, at most 64")
    if source.type not in PARSERS:
        raise ConfigError(f"there is no source type {source.type!r}: choose one of {', '.join(sorted(PARSERS))}")
    zone_of(source.zone)
    if source.transport is Transport.SYSLOG:
        if not source.where:
            raise ConfigError("say from which address it is sent: a syslog source is known by its sender")
        blocks(source.where)
    if source.transport is Transport.PROBE:
        if source.type != "probe.check":
            raise ConfigError("what probes find is of the type probe.check")
        if not 0 < len(source.where) <= MAX_TARGETS:
            raise ConfigError(f"say what is to be probed, {MAX_TARGETS} targets at most a source")
        for target in source.where:
            parse_target(target)


def blocks(addresses: Iterable[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Addresses and CIDR blocks as networks. Raises `ConfigError`."""
    found = []
    for address in addresses:
        try:
            found.append(ipaddress.ip_network(address, strict=False))
        except ValueError:
            raise ConfigError(f"{address}: not an IP address or CIDR block") from None
    return found


def check_senders(source: Source, others: Sequence[Source]) -> None:
    """Raises `Conflict` where another enabled source has one of the senders: what they send would change hands."""
    mine = blocks(source.where)
    for other in others:
        if other.id == source.id or not other.enabled or other.transport is not Transport.SYSLOG:
            continue
        for block in blocks(other.where):
            for own in mine:
                if own.version == block.version and own.overlaps(block):
                    whose = f"source {other.id}" if other.org == source.org else "another organisation"
                    raise Conflict(
                        f"{own} is already a sender of {whose}: one address is one source; "
                        "a source of type syslog takes whatever its sender writes"
                    )
