"""An item as alerts know what is found: the rule that stands for its kind of entity, and a finding."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import islice

import yaml

from detector.entities.item import Item, Why
from detector.entities.text import TOGETHER, apart, cut
from detector.explain import quoted
from detector.people.definition import People
from detector.people.words import worded
from detector.series.key import beginning
from soc.model.event import Fields, iso
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.rule import RuleDoc
from soc.model.unusual import FIELD, RULE_PREFIX, Reason, Unusual, entity_id

_SAID = 6  # reasons in a finding
_WAYS = 4  # to tell values apart that a search has room for


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
    parts.append(_of(people.entity, item.entity))
    parts.append(f'@timestamp:["{iso(item.begins)}" TO "{iso(item.time + 1)}"}}')
    return " AND ".join(parts)


def _of(names: Sequence[str], entity: str) -> str:
    """A search for the entity. Where its values can be told apart in several ways it is each of them, as it is to those who count it."""
    counts = [len(names)] if cut(entity) is None else range(len(names), 0, -1)
    ways = list(islice((way for count in counts for way in apart(entity, count)), _WAYS + 1))
    if len(ways) > _WAYS:
        return beginning(names[0], entity.partition(TOGETHER)[0])
    several = [" AND ".join(_is(name, value) for name, value in zip(names, way, strict=False)) for way in ways]
    return several[0] if len(several) == 1 else f"(({') OR ('.join(several)}))"


def _is(name: str, value: str) -> str:
    begins = cut(value)
    if begins is None:
        return f'{name}:"{quoted(value)}"'
    return beginning(name, begins.rstrip(TOGETHER))  # it may have been cut in the sign behind the value


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
    """The entity by its fields, so that exceptions can ask for them as of any other finding. Nothing where a value may be of either: an
    exception for another must not hide it."""
    names = one.field.split(TOGETHER)
    ways = list(islice(apart(one.entity, len(names)), 2))
    return dict(zip(names, ways[0], strict=True)) if len(ways) == 1 else {}


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
