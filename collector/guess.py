"""Of which format lines are: every parser tries every line, and the one that reads the most is the likeliest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from collector.parse.record import EARLIEST_MS, zone_of
from collector.parse.registry import PARSERS, Context
from soc.errors import ParseError
from soc.model.calendar import DAY_MS
from soc.model.event import Fields

# Most telling first: of types that read about as many lines, the earlier one is proposed.
_TELLING = (
    "otp.gateway",
    "probe.check",
    "lgsp.gateway",
    "nginx.error",
    "apache.error",
    "linux.auth",
    "nginx.access",
    "apache.access",
    "syslog",
)
_ABOUT = 0.1  # of the lines
# portal.example.vn:443 203.0.113.7 - - [...: only Apache's vhost_combined has a port; only Apache escapes a quote as \"
_APACHE = re.compile(r'^\S+:\d{1,5} \S+ \S+ \S+ \[|\\"')


@dataclass(frozen=True, slots=True)
class Proposal:
    """`confidence`: the share of the lines, 0 to 1, that a source of this type reads with a plausible time; `parsed`: how many."""

    source_type: str
    confidence: float
    parsed: int
    unparsed: int


def propose(lines: Sequence[str], zone: str, now_ms: int) -> list[Proposal]:
    """The types that read any of these masked lines, the likeliest first. Raises `ConfigError` for an unknown zone.

    A format is known by its form: lines whose times are not plausible count in the order, not in the confidence.
    """
    context = Context(zone_of(zone), now_ms)
    known = dict.fromkeys(_TELLING, 0)
    plausible = dict.fromkeys(_TELLING, 0)
    for line in lines:
        for name, ts in _reads(line, context).items():
            known[name] += 1
            plausible[name] += EARLIEST_MS <= ts <= now_ms + DAY_MS
    near = max(known.values()) - _ABOUT * len(lines)
    order = _order(lines)
    found = sorted((name for name in order if known[name]), key=lambda name: min(known[name] - near, 0), reverse=True)
    return [
        Proposal(name, round(plausible[name] / len(lines), 3), plausible[name], len(lines) - plausible[name])
        for name in found
    ]


def _order(lines: Sequence[str]) -> list[str]:
    order = list(_TELLING)
    if any(_APACHE.search(line) for line in lines):
        order.remove("apache.access")
        order.insert(order.index("nginx.access"), "apache.access")
    return order


def _reads(line: str, context: Context) -> dict[str, int]:
    """The types that read a line, each with the time that it reads, ms since 1970 UTC."""
    fields = _fields("syslog", line, context)
    if fields is not None:  # an envelope: only what opens it reads the line right
        names = ("syslog", "linux.auth") if fields.get("event.dataset") == "linux.auth" else ("syslog",)
        return {name: _time(fields) for name in names}
    read = ((name, _fields(name, line, context)) for name in _TELLING if name not in ("syslog", "linux.auth"))
    return {name: _time(fields) for name, fields in read if fields is not None}


def _fields(name: str, line: str, context: Context) -> Fields | None:
    try:
        return PARSERS[name](line, context)
    except ParseError:
        return None
    except Exception:  # noqa: BLE001 - as for a record: whatever it stumbles over, the line is not of its format
        return None


def _time(fields: Fields) -> int:
    at = fields.get("@timestamp")
    return at if isinstance(at, int) else 0
