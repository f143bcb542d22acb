"""Travel: one account, several places within an hour.

A place is a country or a network operator where the events name them, else the network of an address: the first 16 bits of IPv4, 32 of
IPv6, wide enough for a carrier's customers to stay in one for a while. All private addresses are one place, the inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from math import log

from detector.entities.profile import Activity, Habits, Profile
from detector.entities.surprise import Raw

FIELDS = ("source.geo.country_iso_code", "source.geo.country_name", "source.as.number", "source.ip", "client.ip")
INSIDE = "private"
_WITHIN_MS = 3_600_000
_PRIOR = 4.0  # peers weigh as much as so many own buckets
_MOST, _NAMED = 16, 4  # places that are remembered, and named


def of(entity: str, what: Sequence[str]) -> int:
    """Which of the fields says where the entity is, -1 for none. `entity`: its field or fields; an address does not travel."""
    parts = entity.replace(" ", "").split("+")
    if any(name in parts for name in FIELDS):
        return -1
    return next((what.index(name) for name in FIELDS if name in what), -1)


@lru_cache(8192)
def place(text: str) -> str:
    """Where a value is; empty for what is no address and looks like none of the other fields."""
    if "." not in text and ":" not in text:
        return text
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_private or address.is_loopback or address.is_link_local:
        return INSIDE
    return str(ip_network((address, 16 if address.version == 4 else 32), strict=False))


def places(activity: Activity, at: int) -> list[str]:
    """Those of the bucket, `_MOST` of them at most."""
    return sorted({found for value in activity.counts[at] if (found := place(value))})[:_MOST]


def around(profile: Profile, here: Sequence[str], start: int) -> list[str]:
    """Places of this bucket, which begins at `start` (ms), and within an hour those of the one before."""
    before = profile.places if start - profile.last <= _WITHIN_MS else ()
    return [*here, *(one for one in before if one not in here)]


def travelled(
    profile: Profile, peers: Habits, here: Sequence[str], everywhere: Sequence[str], weight: float, feature: int
) -> Raw | None:
    """How rarely it and its peers are at several places, when it has come to another one. `everywhere`: see `around`."""
    if len(everywhere) < 2 or not set(here) - set(profile.places):
        return None
    own = profile.habits
    usual = (peers.moved + 0.5 * weight) / (peers.placed + weight)
    share = (own.moved + _PRIOR * weight * usual) / (own.placed + _PRIOR * weight)
    value = ", ".join(everywhere[:_NAMED]) + (", ..." if len(everywhere) > _NAMED else "")
    expected = own.moved / own.placed if own.placed else 0.0
    return Raw(feature, max(-log(share), 0.0), value, expected, len(everywhere), usual)
