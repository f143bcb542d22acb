"""An item as alerts know what is found: the rule that stands for its kind of entity, and a finding."""

from __future__ import annotations

import hashlib

import yaml

from detector.entities.item import Item, Why
from detector.entities.text import cut
from detector.explain import quoted
from detector.people.definition import People
from detector.people.words import worded
from detector.series.key import beginning
from soc.model.event import Fields, iso
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.rule import RuleDoc
from soc.model.unusual import FIELD, RULE_PREFIX, Reason, Unusual, entity_id

_SAID = 6  # reasons in a finding


def unusual_of(people: People, org: str, item: Item) -> Unusual:
    """As it is kept and shown. An episode of an entity is one alert."""
    return Unusual(
        id=f"{item.time:012x}{entity_id(people.name, org, item.entity)}",
        people=people.name,
        org=org,
        field=people.field,
        entity=item.entity,
        at=item.time,
        since=item.since,
        score=round(item.score, 4),
        events=item.events,
        alert=alert_id(people.rule_id, org, item.entity, f"episode {item.since}"),
        rule_hash=rule_of(people).hash,
        query=query_of(people, org, item),
        reasons=tuple(_reason(why, people.minutes) for why in item.why),
        week=item.week,
    )


def query_of(people: People, org: str, item: Item) -> str:
    """A search for the events behind it."""
    datasets = " OR ".join(f'"{name}"' for name in people.datasets)
    parts = [f"event.dataset:({datasets})" if len(people.datasets) > 1 else f"event.dataset:{datasets}"]
    parts.append(f'organization.id:"{quoted(org)}"')
    if people.where.strip():
        parts.append(f"({people.where.strip()})")
    values = item.entity.split(" + ") if len(people.entity) > 1 else [item.entity]
    parts += [_is(name, value) for name, value in zip(people.entity, values, strict=False)]
    parts.append(f'@timestamp:["{iso(item.since)}" TO "{iso(item.time + 1)}"}}')
    return " AND ".join(parts)


def _is(name: str, value: str) -> str:
    begins = cut(value)
    return f'{name}:"{quoted(value)}"' if begins is None else beginning(name, begins)


def finding_of(one: Unusual) -> Finding:
    rule = f"{RULE_PREFIX}{one.people}"
    matched: Fields = {
        "what": f"{one.people} {one.entity}",
        "score": one.score,
        "since": iso(one.since),
        "events": one.events,
        "reasons": [reason.text["en"] for reason in one.reasons[:_SAID]],
        "reasons_vi": [reason.text["vi"] for reason in one.reasons[:_SAID]],
        "query": one.query,
    }
    return Finding(
        finding_id(one.alert, one.id), one.alert, rule, one.rule_hash, one.org, one.field, one.entity, one.at, one.id,
        {FIELD + name: value for name, value in matched.items()} | _named(one),
    )  # fmt: skip


def _named(one: Unusual) -> Fields:
    """The entity by its fields, so that exceptions can ask for them as of any other finding."""
    names, values = one.field.split(" + "), one.entity.split(" + ")
    return dict(zip(names, values, strict=True)) if len(names) == len(values) else {}


def rule_of(people: People) -> RuleDoc:
    """The definition as alerts and pages know rules."""
    text = yaml.safe_dump(
        people.model_dump(mode="json", exclude={"path"}, exclude_defaults=True), allow_unicode=True, sort_keys=False
    )
    titles = people.titles.model_dump()
    return RuleDoc(
        id=people.rule_id, hash=hashlib.blake2b(text.encode(), digest_size=12).hexdigest(), title=titles["en"], level=people.severity,
        text=text, path=people.path, titles=titles, runbook=people.runbook.model_dump() if people.runbook else {},
        group_by=people.entity,
    )  # fmt: skip


def _reason(why: Why, minutes: int) -> Reason:
    texts = {language: worded(why, minutes, language) for language in ("vi", "en")}
    expected, actual, peers, surprise = (
        float(f"{value:.4g}") for value in (why.expected, why.actual, why.peers, why.surprise)
    )
    return Reason(why.feature, why.kind, why.field, why.value, expected, actual, peers, surprise, texts)
