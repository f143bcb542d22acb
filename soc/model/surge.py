"""Surge: an event that was declared in advance, such as an enrolment week or a deadline. While it lasts more traffic is expected of what it
names; nothing else changes, and rules do not know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from soc.errors import ConfigError
from soc.model.body import Body
from soc.model.calendar import DAY_MS, MINUTE_MS, ZONE_MS
from soc.model.org import CODE, Scope
from soc.model.policy import Policy
from soc.model.system import SYSTEMS

LONGEST_MS = 62 * DAY_MS
_LAST_MS = 1 << 43  # in 2248
LEAST_PERCENT, MOST_PERCENT = 10, 10_000
MAX_NAME, MAX_ORGS, MAX_SERVICES = 400, 100, 50


class Expected(Protocol):
    """What the detector asks of surges."""

    def active(self, org: str, system: str, ts: int, service: str | None = None) -> float | None:
        """How many times the usual volume is expected at `ts` (ms); None: the usual. `service`: see `Surge.at`."""
        ...


@dataclass(frozen=True, slots=True)
class Surge:
    """`orgs`, `systems`, `services` empty: all. `services` are names by which volumes are counted, such as LGSP consumers.

    From `since` to before `until` (ms), on each day only from `opens` to `closes` (minutes of the day in Viet Nam) where these are
    given: both 0 mean all day. `percent` of the usual volume is expected.
    """

    id: str
    name: str
    since: int
    until: int
    percent: int
    orgs: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    opens: int = 0
    closes: int = 0

    @classmethod
    def read(cls, id_: str, fields: Mapping[str, object]) -> Surge:
        """From a policy's body. Raises `ConfigError` with the field."""
        body = Body(f"surge {id_}", fields)
        body.only("name", "since", "until", "percent", "orgs", "systems", "services", "opens", "closes")
        surge = cls(
            id=id_,
            name=body.text("name", None),
            since=body.number("since", -1, 0, _LAST_MS),
            until=body.number("until", -1, 0, _LAST_MS),
            percent=body.number("percent", 0, LEAST_PERCENT, MOST_PERCENT),
            orgs=tuple(body.texts("orgs")),
            systems=tuple(body.texts("systems")),
            services=tuple(body.texts("services")),
            opens=body.number("opens", 0, 0, 1439),
            closes=body.number("closes", 0, 0, 1440),
        )
        try:
            surge.check()
        except ConfigError as error:
            raise ConfigError(f"surge {id_}: {error}") from None
        return surge

    def body(self) -> Mapping[str, object]:
        """As it is kept in a policy: `read` gives it back."""
        known: dict[str, object] = {
            "name": self.name,
            "since": self.since,
            "until": self.until,
            "percent": self.percent,
        }
        lists = {"orgs": self.orgs, "systems": self.systems, "services": self.services}
        known |= {name: list(values) for name, values in lists.items() if values}
        return known | ({"opens": self.opens, "closes": self.closes} if self.closes else {})

    def at(self, org: str, system: str, ts: int, service: str | None = None) -> bool:
        """Whether it is on then, for these. `service` None: whatever there is of the system, and so what it names as well; empty: what
        says no service, and so is none of those that it names."""
        return (
            self.since <= ts < self.until
            and self.covers(org, system)
            and (not self.services or service is None or service in self.services)
            and (not self.closes or self.opens <= _minute(ts) < self.closes)
        )

    def covers(self, org: str, system: str) -> bool:
        return (not self.orgs or org in self.orgs) and (not self.systems or system in self.systems)

    def visible(self, scope: Scope) -> bool:
        """Whether it changes what somebody with this scope sees."""
        return not self.orgs or any(scope.allows(org) for org in self.orgs)

    def check(self) -> None:
        """Raises `ConfigError`: a sentence for who declares it."""
        if not 0 < len(self.name) <= MAX_NAME:
            raise ConfigError(f"give it a name of at most {MAX_NAME} letters")
        if self.since < 0 or self.until > _LAST_MS:
            raise ConfigError("its times have to be of the years 1970 to 2247")
        if not self.since < self.until <= self.since + LONGEST_MS:
            raise ConfigError(f"it has to end after it begins, and at most {LONGEST_MS // DAY_MS} days later")
        if self.closes and not self.opens < self.closes:
            raise ConfigError("its hours have to end after they begin")
        if len(self.orgs) > MAX_ORGS or len(self.services) > MAX_SERVICES:
            raise ConfigError(f"it may name {MAX_ORGS} organisations and {MAX_SERVICES} services at most")
        if strange := [org for org in self.orgs if not CODE.fullmatch(org)]:
            raise ConfigError(f"{strange[0]!r} is no agency code: letters, digits, `.`, `-` and `_`, at most 64")
        if strange := [system for system in self.systems if system not in SYSTEMS]:
            raise ConfigError(f"there is no system {strange[0]!r}: choose one of {', '.join(SYSTEMS)}")
        if [one for one in self.services if not 0 < len(one) <= 128]:
            raise ConfigError("the name of a service has 1 to 128 letters")


class Surges:
    """`Expected`, of surges that were declared."""

    def __init__(self, surges: Iterable[Surge] = ()) -> None:
        self._everywhere: list[Surge] = []
        self._of_org: dict[str, list[Surge]] = {}
        for surge in surges:
            for own in [self._of_org.setdefault(org, []) for org in surge.orgs] or [self._everywhere]:
                own.append(surge)

    def active(self, org: str, system: str, ts: int, service: str | None = None) -> float | None:
        """Of several the one that expects most."""
        known = (*self._everywhere, *self._of_org.get(org, ()))
        percents = [one.percent for one in known if one.at(org, system, ts, service)]
        return max(percents) / 100 if percents else None


def readable(policies: Iterable[Policy], complain: Callable[[ConfigError], None]) -> Iterator[tuple[Policy, Surge]]:
    """Those that can be read: one that a newer govsoc has written hides no other."""
    for policy in policies:
        try:
            yield policy, Surge.read(policy.id, policy.body or {})
        except ConfigError as error:
            complain(error)


def hours(text: str) -> tuple[int, int] | None:
    """`07:00-11:30` as minutes of the day; None where it cannot be read."""
    opens, _, closes = text.partition("-")
    try:
        at = [datetime.strptime(one.strip(), "%H:%M") for one in (opens, closes.replace("24:00", "23:59"))]  # noqa: DTZ007
    except ValueError:
        return None
    first, last = (one.hour * 60 + one.minute for one in at)
    last = 1440 if closes.strip() == "24:00" else last
    return (first, last) if first < last else None


def _minute(ts: int) -> int:
    return (ts + ZONE_MS) % DAY_MS // MINUTE_MS
