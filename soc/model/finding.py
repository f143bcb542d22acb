"""Finding: one hit of one rule on one event; and how findings fold into alerts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

import orjson

from soc.model.event import Event, Fields, Scalar, Value
from soc.model.rule import Stage

LEVELS = ("informational", "low", "medium", "high", "critical")

# The entity of a finding when its rule names none: the first of these that the event has.
ENTITY_FIELDS = ("user.id", "source.ip", "host.name", "organization.id")

# In what a correlation's finding matched.
COUNTED = "govsoc.correlation."  # with its type: how much it counted, about many lines, in none of them
ASKED = "govsoc.correlation.asked"  # what was laid down in place of what the text of the rule asks for


@dataclass(frozen=True, slots=True)
class Finding:
    """One hit of one rule on one event, folded into alert `alert_id`.

    `id` is a function of alert and event, so that the same hit found twice is one finding.
    `matched` are the event's fields that made the rule fire, with their values.
    `silent` findings feed correlations only: they are not stored and raise no alert (Sigma: `generate` is off).
    `stage` is that of its rule, `level` what people set in place of the rule's own (None: the rule's own); both are the alert's.
    `event`, `stage` and `level` are there while the finding is in memory; the store keeps `event_id`.
    """

    id: str
    alert_id: str
    rule_id: str
    rule_hash: str
    org: str
    entity_field: str
    entity: str
    ts: int
    event_id: str
    matched: Fields
    silent: bool = False
    event: Event | None = field(default=None, compare=False, repr=False)
    stage: Stage = field(default=Stage.LIVE, compare=False)
    level: str | None = field(default=None, compare=False)


def storable(finding: Finding) -> Finding:
    """The finding as stores can write it down: of its texts half surrogates are escaped, integers of more than 64 bits are texts. Raises
    `TypeError` where that is not enough."""
    try:
        _dump(finding)
    except TypeError:
        matched = {_fit(name): _fitting(value) for name, value in finding.matched.items()}
        finding = replace(finding, entity=_fit(finding.entity), matched=matched)
        _dump(finding)
    return finding


def _dump(finding: Finding) -> None:
    orjson.dumps((finding.org, finding.entity_field, finding.entity, finding.ts, finding.matched))


def _fitting(value: Value) -> Value:
    return [_fit_one(one) for one in value] if isinstance(value, list) else _fit_one(value)


def _fit_one(value: Scalar) -> Scalar:
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return str(value)
    return _fit(value) if isinstance(value, str) else value


def _fit(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=12).hexdigest()


def local_day(ts: int, zone: tzinfo) -> str:
    """The calendar day of `ts` (ms) where the organisation works."""
    return datetime.fromtimestamp(ts / 1000, zone).strftime("%Y-%m-%d")


def alert_id(rule_id: str, org: str, entity: str, day: str) -> str:
    """Findings of one rule, organisation, entity and local day of event time are one alert: 24 hex digits."""
    return _hash(rule_id, org, entity, day)


def alert_id_after(alert: str, version: int) -> str:
    """The id of what goes on once `alert` was closed because of what people say, in this version of it."""
    return _hash(alert, f"after {version}")


def alert_id_in_test(alert: str) -> str:
    """The id of what would be `alert`, while its rule is in test: another alert, so that an alert never changes its stage."""
    return _hash(alert, Stage.TEST)


def finding_id(alert: str, event: str) -> str:
    """24 hex digits."""
    return _hash(alert, event)
