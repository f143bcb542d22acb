"""What becomes of a rule that fires: the finding, with what matched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from rules.condition import Check, any_text
from rules.lists.known import Hit, Lists
from rules.match.plan import Fired
from rules.predicate import Listed
from rules.rule import Rule
from soc.model.event import Event, Fields, Scalar, Value
from soc.model.finding import ENTITY_FIELDS, Finding, alert_id, finding_id, storable
from soc.model.indicator import stix_type

SHOWN_CHARS = 4096  # of a value in `matched`: each of its findings carries it, and the event holds it whole
KEYWORDS_SHOWN = 3  # and of each so many fields: they have to be looked for again
CUT = " … [cut]"


def finding_of(fired: Fired, event: Event, day: Callable[[int], str], lists: Lists) -> Finding:
    """`day`: of a time in ms. Raises what is wrong with the rule."""
    rule, fields = fired.rule, event.fields
    if rule.silent:  # never stored, and many: only what a correlation asks for
        return Finding(event.id, "", rule.id, rule.hash, event.org, "", "", event.ts, event.id, {}, True, event)
    name, entity = _entity(rule, event)
    alert = alert_id(rule.id, event.org, entity, day(event.ts))
    finding = Finding(
        id=finding_id(alert, event.id),
        alert_id=alert,
        rule_id=rule.id,
        rule_hash=rule.hash,
        org=event.org,
        entity_field=name,
        entity=entity,
        ts=event.ts,
        event_id=event.id,
        matched=_matched(fired.because, fields) | _listed(fired.because, event, lists),
        event=event,
    )
    return storable(finding)


def _listed(because: Sequence[Check], event: Event, lists: Lists) -> Fields:
    """By what of which lists it was found, in the words of ECS: lists change, and this is kept."""
    hits = [
        hit
        for check in because
        if isinstance(check.predicate, Listed)
        and check.field is not None
        and (hit := lists.find(check.predicate.name, event.fields.get(check.field), event.org))
    ]
    return _told(dict.fromkeys(hits)) if hits else {}


def _told(hits: Iterable[Hit]) -> Fields:
    """Each value a list where there are several hits."""
    known = list(hits)
    names: dict[str, list[Scalar]] = {
        "threat.feed.name": [hit.list for hit in known],
        "threat.indicator.name": [hit.entry for hit in known],
        "threat.indicator.type": [stix_type(hit.type, hit.entry) for hit in known],
        "govsoc.list.version": [hit.version for hit in known],
    }
    return {name: found[0] if len(found) == 1 else found for name, found in names.items()}


def _entity(rule: Rule, event: Event) -> tuple[str, str]:
    for name in (rule.entity, *ENTITY_FIELDS):
        value = event.fields.get(name) if name else None
        for item in value if isinstance(value, list) else [value]:
            if name and item not in (None, ""):
                return name, str(item)
    return "organization.id", event.org


def _matched(because: Sequence[Check], fields: Fields) -> Fields:
    matched: Fields = {}
    for check in because:
        if check.field is not None and check.field in fields:
            matched[check.field] = _shown(fields[check.field])
    for check in [check for check in because if check.field is None][:KEYWORDS_SHOWN]:
        found = (name for name, value in fields.items() if any_text(check.predicate, value, keyword=True))
        matched.update((name, _shown(fields[name])) for name in islice(found, KEYWORDS_SHOWN))
    return matched


def _shown(value: Value) -> Value:
    """The value, cut where it is long, with a mark that says so."""
    if isinstance(value, str):
        return value if len(value) <= SHOWN_CHARS else value[:SHOWN_CHARS] + CUT
    if not isinstance(value, list):
        return value
    shown: list[Scalar] = []
    room = SHOWN_CHARS
    for item in value:
        if room <= 0:
            return [*shown, CUT.strip()]
        text = item if isinstance(item, str) else str(item)
        shown.append(item if len(text) <= room else text[:room] + CUT)
        room -= len(text) + 1
    return shown
