"""Of which format lines are: every parser tries every line, and the one that reads the most is the likeliest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from collector.parse.record import EARLIEST_MS, zone_of
from collector.parse.registry import PARSERS, Context
from collector.parse.time import DAY_MS
from soc.errors import ParseError
from soc.model.event import Fields

# Most telling first: of types that read about as many lines, the earlier one is proposed.
_TELLING = (
    "otp.gateway",
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
    """`confidence`: the share of the lines, 0 to 1, that a source of this type reads with a plausible time."""

    source_type: str
    confidence: float
    parsed: int
    unparsed: int


def propose(lines: Sequence[str], zone: str, now_ms: int) -> list[Proposal]:
    """The types that read any of these masked lines, the likeliest first. Raises `ConfigError` for an unknown zone."""
    context = Context(zone_of(zone), now_ms)
    read = {name: sum(_reads(name, line, context) for line in lines) for name in _TELLING}
    most = max(read.values(), default=0)
    order = list(_TELLING)
    if any(_APACHE.search(line) for line in lines):
        order.remove("apache.access")
        order.insert(order.index("nginx.access"), "apache.access")

    def rank(name: str) -> tuple[bool, float]:
        near = read[name] >= most - _ABOUT * len(lines)
        return not near, order.index(name) if near else -read[name]

    found = sorted((name for name in _TELLING if read[name]), key=rank)
    return [Proposal(name, round(read[name] / len(lines), 3), read[name], len(lines) - read[name]) for name in found]


def _reads(name: str, line: str, context: Context) -> bool:
    try:
        fields = PARSERS[name](line, context)
    except ParseError:
        return False
    except Exception:  # noqa: BLE001 - as for a record: whatever it stumbles over, this line is not of its format
        return False
    at = fields.get("@timestamp")
    return isinstance(at, int) and EARLIEST_MS <= at <= context.now_ms + DAY_MS and _told(name, fields)


def _told(name: str, fields: Fields) -> bool:
    """Any syslog line is a line of linux.auth to its parser: only what it understood counts."""
    return name != "linux.auth" or "event.action" in fields
