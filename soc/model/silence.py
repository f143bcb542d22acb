"""How a source is doing, and when its silence is an alarm. Times in ms since 1970 UTC; `now` is always an argument."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum

from soc.model.body import Body
from soc.model.calendar import DAY_MS, MINUTE_MS, Calendar, midnight
from soc.model.source import Source, SourceHealth
from soc.model.system import SYSTEMS, system_of

LIMIT_MINUTES = 15
LONGEST_LIMIT_MINUTES = 31 * 1440
LATEST_EXEMPT = date(2099, 12, 31)  # a later day is a slip of the pen
CLEARED_SHOWN_MS = DAY_MS  # how long people are shown an outage that is over


class Freshness(StrEnum):
    LIVE = "live"
    LATE = "late"  # records arrive, but what they tell is old
    SILENT = "silent"  # nothing has arrived for longer than is allowed
    NEVER_SEEN = "never_seen"
    EXEMPT = "exempt"  # silent or never seen, and that is known and allowed until a date
    DISABLED = "disabled"


class Schedule(StrEnum):
    ALWAYS = "always"
    OFFICE_HOURS = "office_hours"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of a source: a record at least every `limit_minutes` of the time in `schedule`.

    `exempt_until` is the last day on which its silence is allowed, `reason` why. `system`: its column of the coverage matrix.
    """

    schedule: Schedule = Schedule.ALWAYS
    limit_minutes: int = LIMIT_MINUTES
    exempt_until: date | None = None
    reason: str = ""
    system: str | None = None

    @classmethod
    def read(cls, where: str, fields: Mapping[str, object]) -> Expectation:
        """From a policy's body. Raises `ConfigError` with `where` and the field."""
        body = Body(where, fields)
        body.only("schedule", "limit_minutes", "exempt_until", "reason", "system")
        system = body.text("system") or None
        if system is not None and system not in SYSTEMS:
            body.refuse("system", f"is {system!r}, and has to be one of {', '.join(SYSTEMS)}")
        return cls(
            schedule=body.choice("schedule", Schedule, Schedule.ALWAYS),
            limit_minutes=body.number("limit_minutes", LIMIT_MINUTES, 1, LONGEST_LIMIT_MINUTES),
            exempt_until=body.day("exempt_until"),
            reason=body.text("reason"),
            system=system,
        )

    def body(self) -> Mapping[str, object]:
        """As it is kept in a policy."""
        known = asdict(self) | {"exempt_until": self.exempt_until and str(self.exempt_until)}
        return {name: value for name, value in known.items() if value}

    def silent_at(self, since: int, calendar: Calendar) -> int | None:
        """When a source counts as silent that sends nothing from `since` on; None: not in years."""
        limit = self.limit_minutes * MINUTE_MS
        return since + limit if self.schedule is Schedule.ALWAYS else calendar.after(since, limit)

    def exempt_end(self) -> int:
        """The instant from which it is expected again."""
        return midnight(self.exempt_until) + DAY_MS if self.exempt_until else 0


@dataclass(frozen=True, slots=True)
class Standing:
    """A source and how it is doing. `silent_at`: when it counts as silent, or has since, unless something arrives."""

    source: Source
    health: SourceHealth | None
    expectation: Expectation
    state: Freshness
    silent_at: int | None = None

    @property
    def system(self) -> str:
        return self.expectation.system or system_of(self.source.type)

    @property
    def last(self) -> int:
        """Time of the last record's arrival; 0 when there was none."""
        return (self.health.last_received if self.health else None) or 0


def standing(
    source: Source, health: SourceHealth | None, expectation: Expectation, calendar: Calendar, now: int
) -> Standing:
    """How the source is doing at `now`."""
    if not source.enabled:
        return Standing(source, health, expectation, Freshness.DISABLED)
    end = expectation.exempt_end()
    if health is None or health.last_received is None:
        return Standing(source, health, expectation, Freshness.EXEMPT if now < end else Freshness.NEVER_SEEN)
    silent_at = expectation.silent_at(health.last_received, calendar)
    if silent_at is not None and now > silent_at and end > silent_at:  # the exemption ends: from then on it counts anew
        silent_at = expectation.silent_at(end, calendar)
        if now < end:
            return Standing(source, health, expectation, Freshness.EXEMPT, silent_at)
    return Standing(source, health, expectation, _heard(health, expectation, silent_at, now), silent_at)


def _heard(health: SourceHealth, expectation: Expectation, silent_at: int | None, now: int) -> Freshness:
    if silent_at is not None and now > silent_at:
        return Freshness.SILENT
    behind = (health.last_received or 0) - health.last_event if health.last_event is not None else 0
    return Freshness.LATE if behind > expectation.limit_minutes * MINUTE_MS else Freshness.LIVE


@dataclass(frozen=True, slots=True)
class Outage:
    """A source that is or was silent. `since`: arrival of its last record; `blind`: ids of the rules that no other source of the
    organisation fed when it was noticed. `cleared_at` None: it is still silent."""

    id: str
    source: str
    org: str
    since: int
    noticed_at: int
    blind: tuple[str, ...] = ()
    cleared_at: int | None = None


def outage_id(source: str, since: int) -> str:
    """24 hex digits: whoever notices the same silence, at whatever time, means the same outage."""
    return hashlib.blake2b(f"{source}\0{since}".encode(), digest_size=12).hexdigest()
