"""Lists of indicators: known addresses, domains, hashes and the like, which rules ask by name (`source.ip|expand: '%name%'`).

What is in a list is a file (`rules.lists`); which file holds now is a policy under the list's name, so that its history is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from soc.errors import ConfigError
from soc.model.body import Body

MAX_ENTRIES = 5_000_000  # of one list
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")


class ListType(StrEnum):
    IP = "ip"  # addresses and CIDR blocks, of both versions
    DOMAIN = "domain"
    HASH = "hash"  # MD5, SHA-1, SHA-256, SHA-512
    URL = "url"
    TEXT = "text"  # the whole of a value, whatever its case


# What STIX calls them, as `threat.indicator.type` of ECS has it.
STIX_TYPES: Mapping[ListType, str] = {
    ListType.IP: "ipv4-addr",
    ListType.DOMAIN: "domain-name",
    ListType.HASH: "file",
    ListType.URL: "url",
    ListType.TEXT: "artifact",
}


def stix_type(kind: ListType, entry: str) -> str:
    return "ipv6-addr" if kind is ListType.IP and ":" in entry else STIX_TYPES[kind]


@dataclass(frozen=True, slots=True)
class ListRecord:
    """What holds of a list now. `org` empty: for the events of all organisations, else for those of this one alone.

    `file`: hash of what is in it, which names its file. `source`: where it comes from, for people.
    """

    name: str
    type: ListType
    file: str
    entries: int
    org: str = ""
    source: str = ""

    @property
    def id(self) -> str:
        """Of its policy."""
        return f"{self.name}@{self.org}" if self.org else self.name

    def body(self) -> Mapping[str, object]:
        """As it is kept in a policy."""
        return {"type": self.type, "file": self.file, "entries": self.entries, "source": self.source}


def list_id(name: str, org: str = "") -> str:
    """The id of a list's policy. Raises `ConfigError` for what cannot be a placeholder's name."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"a list is named by 1 to 64 letters of a-z, digits and _, not {name[:80]!r}")
    return f"{name}@{org}" if org else name


def list_of(policy_id: str, fields: Mapping[str, object]) -> ListRecord:
    """From a policy's body. Raises `ConfigError`."""
    body = Body(f"list {policy_id}", fields)
    body.only("type", "file", "entries", "source")
    name, _, org = policy_id.partition("@")
    list_id(name, org)
    file = body.text("file", None)
    if not re.fullmatch(r"[0-9a-f]{32}", file):
        body.refuse("file", "has to be 32 hex digits")
    return ListRecord(
        name,
        body.choice("type", ListType),
        file,
        body.number("entries", 0, 0, MAX_ENTRIES),
        org,
        body.text("source"),
    )
