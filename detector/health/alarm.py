"""What an error budget that burns too fast is told as: one alarm a system, with all that burns in it folded under it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from detector.health.burn import Severity
from soc.model.service_level import Blame, Burning, Place


@dataclass(frozen=True, slots=True)
class Child:
    """One thing that burns: an objective as a whole (`kind` PLATFORM, no name), or one part of it.

    `rate`, `minutes`: the pair of windows that fired, by its burn rate and its long window; `total`, `bad`: the events in that.
    """

    slo: str
    kind: Blame
    name: str
    rate: float
    minutes: int
    total: int
    bad: int
    burn: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """One episode of one system of one organisation, as it stands at `at`. Times in ms since 1970, `ended_at` None: it goes on.

    `id` is a function of organisation, system and `since`, so that the same episode found twice is one alarm. `children`: fastest
    first. `reason`: in words, by language (vi, en).
    """

    id: str
    org: str
    system: str
    severity: Severity
    since: int
    at: int
    ended_at: int | None
    place: Place
    children: tuple[Child, ...]
    reason: Mapping[str, str]

    def burning(self) -> Burning:
        """As it is shown beside the service level."""
        return Burning(self.id, self.severity, self.since, self.place, self.reason)


def alarm_id(org: str, system: str, since: int) -> str:
    """24 hex digits."""
    return hashlib.blake2b(f"{org}\0{system}\0{since}".encode(), digest_size=12).hexdigest()
