"""Names of indices: pure functions of what is stored, so that every write may be repeated and lands where it did before.

    govsoc-events-<class>-<unit>-<period>     class: web, auth, gateway, other; period of @timestamp
    govsoc-events-quarantine-<unit>           events without a plausible time
    govsoc-findings-<unit>-<period>           period of the finding's time
    govsoc-alerts-<unit> · govsoc-triage-<unit>
    govsoc-audit-<period>
    govsoc-incidents                          of all units together: an incident may be of several
    govsoc-sources · govsoc-policies · govsoc-deliveries · govsoc-outages · govsoc-accounts · govsoc-rules · govsoc-health · govsoc-hidden
    govsoc-ledger

`<unit>` is the ministry or province: roles are given per unit, and communes are told apart inside. Between two dashes there
is never a dash, so a pattern for one unit never covers another. A period is `2026.11`, `2026.w48` or `2026.11.25`
(store.period); changing that setting is safe for reading, but what is then written a second time is stored a second time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from soc.model.org import unit_of

Period = Literal["day", "week", "month"]

PREFIX = "govsoc"
INCIDENTS = f"{PREFIX}-incidents"
SOURCES = f"{PREFIX}-sources"
POLICIES = f"{PREFIX}-policies"
DELIVERIES = f"{PREFIX}-deliveries"
ACCOUNTS = f"{PREFIX}-accounts"
RULES = f"{PREFIX}-rules"
HEALTH = f"{PREFIX}-health"
OUTAGES = f"{PREFIX}-outages"
HIDDEN = f"{PREFIX}-hidden"
LEDGER = f"{PREFIX}-ledger"
_SINGLE = frozenset(
    {"incidents", "sources", "policies", "deliveries", "outages", "accounts", "rules", "health", "hidden", "ledger"}
)
QUARANTINE = "quarantine"
UNDATED = "undated"
# What the ids of events without a plausible time begin with, and the first beginning of all others.
NO_TIME, FIRST_TIME = "0" * 12, "000000000001"
CLASSES = {
    "web": ("nginx.access", "nginx.error", "apache.access", "apache.error"),
    "auth": ("linux.auth",),
    "gateway": ("otp.gateway", "lgsp.gateway"),
}
OTHER = "other"

_CLASS_OF = {dataset: name for name, datasets in CLASSES.items() for dataset in datasets}
_LONGEST_UNIT = 60
_MANY_UNITS = 50
_WEEK = re.compile(r"(\d{4})\.w(\d\d)")
_DAY_OR_MONTH = re.compile(r"(\d{4})\.(\d\d)(?:\.(\d\d))?")


def unit(org: str) -> str:
    """The ministry or province of an organisation: its agency code up to the first dot, as a part of an index name.

    Capitals of ASCII become small; every other sign but letters and digits becomes `_` and its two hex digits, so that
    two units share a name only when they differ by nothing but capitals, which no two enrolled ones do (`check_spelling`).
    """
    code = unit_of(org)
    name = "".join(
        chr(byte).lower() if byte < 128 and chr(byte).isalnum() else f"_{byte:02x}"
        for byte in code.encode(errors="surrogatepass")
    )
    if len(name) > _LONGEST_UNIT:
        digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
        name = f"{name[: _LONGEST_UNIT - 18]}__{digest}"
    return name or "_"


def data_class(dataset: str) -> str:
    return _CLASS_OF.get(dataset, OTHER)


def period(ms: int, by: Period) -> str:
    """The period (UTC) that an instant lies in; `undated` for 0 and before."""
    if ms <= 0:
        return UNDATED
    day = datetime.fromtimestamp(ms / 1000, UTC)
    match by:
        case "day":
            return day.strftime("%Y.%m.%d")
        case "week":
            year, week, _ = day.isocalendar()
            return f"{year:04d}.w{week:02d}"
        case "month":
            return day.strftime("%Y.%m")


def events(event_id: str, org: str, dataset: str, by: Period) -> str:
    """Where an event lies. `event_id`: its first twelve hex digits are its time in ms, zeros when it has no plausible one."""
    if event_id.startswith(NO_TIME):
        return f"{PREFIX}-events-{QUARANTINE}-{unit(org)}"
    return f"{PREFIX}-events-{data_class(dataset)}-{unit(org)}-{period(int(event_id[:12], 16), by)}"


def findings(org: str, ts: int, by: Period) -> str:
    return f"{PREFIX}-findings-{unit(org)}-{period(ts, by)}"


def alerts(org: str) -> str:
    return f"{PREFIX}-alerts-{unit(org)}"


def triage(org: str) -> str:
    return f"{PREFIX}-triage-{unit(org)}"


def audit(at: int, by: Period) -> str:
    return f"{PREFIX}-audit-{period(at, by)}"


def patterns(kind: str, orgs: Collection[str] | None) -> list[str]:
    """What to ask for `kind` (`events`, `findings`, `alerts`, `triage`) of some organisations; None means all of them.

    Wide for very many units, since names travel in the request line: the filter on `organization.id` decides.
    """
    units = _units(orgs)
    if units is None:
        return [f"{PREFIX}-{kind}-*"]
    return [pattern for name in units for pattern in patterns_of_unit(kind, name)]


def patterns_of_unit(kind: str, name: str) -> list[str]:
    """As `patterns`, for a unit by its name in indices."""
    match kind:
        case "events":
            return [f"{PREFIX}-events-*-{name}-*", f"{PREFIX}-events-{QUARANTINE}-{name}"]
        case "findings":
            return [f"{PREFIX}-findings-{name}-*"]
        case _:
            return [f"{PREFIX}-{kind}-{name}"]


def quarantine(orgs: Collection[str] | None) -> list[str]:
    """The events without one."""
    units = _units(orgs)
    return [f"{PREFIX}-events-{QUARANTINE}-{name}" for name in (["*"] if units is None else units)]


def _units(orgs: Collection[str] | None) -> list[str] | None:
    units = None if orgs is None else sorted({unit(org) for org in orgs})
    return None if units is None or len(units) > _MANY_UNITS else units


@dataclass(frozen=True, slots=True)
class Parts:
    """An index name taken apart. `kind`: `events`, `findings`, `audit`, ...; `end`: first ms after its period, None without one."""

    kind: str
    data_class: str = ""
    unit: str = ""
    period: str = ""
    end: int | None = None


def parts(index: str) -> Parts | None:
    """None for an index that is not ours."""
    match index.split("-"):
        case ["govsoc", "events", "quarantine", name]:
            return Parts("events", QUARANTINE, name)
        case ["govsoc", "events", class_, name, text]:
            return Parts("events", class_, name, text, _end(text))
        case ["govsoc", "findings", name, text]:
            return Parts("findings", "", name, text, _end(text))
        case ["govsoc", "audit", text]:
            return Parts("audit", "", "", text, _end(text))
        case ["govsoc", ("alerts" | "triage") as kind, name]:
            return Parts(kind, "", name)
        case ["govsoc", name] if name in _SINGLE:
            return Parts(name)
    return None


def _end(text: str) -> int | None:
    try:
        if week := _WEEK.fullmatch(text):
            after = date.fromisocalendar(int(week[1]), int(week[2]), 1) + timedelta(days=7)
        elif found := _DAY_OR_MONTH.fullmatch(text):
            first = date(int(found[1]), int(found[2]), int(found[3] or 1))
            after = first + timedelta(days=1) if found[3] else (first + timedelta(days=31)).replace(day=1)
        else:
            return None
    except ValueError:
        return None
    return int(datetime(after.year, after.month, after.day, tzinfo=UTC).timestamp() * 1000)
