"""What a backtest says of a rule: how much it raises, about whom, how that compares with what was raised, and the week to come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, tzinfo

from soc.backtest.forecast import Forecast, forecast
from soc.model.alert import Alert, Status, Verdict
from soc.model.finding import local_day
from soc.model.rule import RuleDoc
from soc.model.tuning import Hidden

_TOP = 10
OPEN = "open"


@dataclass(frozen=True, slots=True)
class Entity:
    field: str
    value: str
    alerts: int
    events: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one rule. Days are local days of event time.

    `made_of`: the hashes of its text and of all that it is made of. `level`: the rule's own; `levels`: level -> alerts, as they
    would be raised. `hidden`: exception -> events that it hid from the rule or from what the rule is made of; they are in no other
    figure. `by_day`: every whole day of the history, those without alerts as well. `known`: of the alerts that were there already, how
    many are open or were closed with each verdict. `fresh`: alerts that were not there. `gone`: alerts of this rule that were there and
    would not be any more, `gone_true` of them confirmed. Where there is a `noisy_since` (ms), when the rule was given up as it raised
    too much, or a `broken`, why it stopped, all figures are too small.
    """

    rule_id: str
    made_of: tuple[str, ...]
    title: str
    level: str
    levels: Mapping[str, int]
    hidden: Mapping[str, int]
    events: int
    alerts: int
    by_day: Mapping[str, int]
    forecast: Forecast | None
    entities: tuple[Entity, ...]
    known: Mapping[str, int]
    fresh: int
    gone: int
    gone_true: int
    noisy_since: int | None = None
    broken: str | None = None


def assess(
    rule: RuleDoc,
    raised: Iterable[Alert],
    there: Iterable[Alert],
    days: tuple[date, date],
    zone: tzinfo,
    *,
    others: Iterable[RuleDoc] = (),
    hidden: Iterable[Hidden] = (),
    noisy_since: int | None = None,
    broken: str | None = None,
) -> Outcome:
    """`raised`: the rule's alerts of the backtest; `there`: those of production in the same time. `days`: first and last whole day.
    `others`: its base rules, among others. `hidden`: what exceptions took out, of any rule."""
    now, others = list(raised), list(others)
    before = {alert.id: alert for alert in there}
    kept = [before[alert.id] for alert in now if alert.id in before]
    gone = before.keys() - {alert.id for alert in now}
    per_day = Counter(date.fromisoformat(local_day(alert.first_seen, zone)) for alert in now)
    return Outcome(
        rule_id=rule.id,
        made_of=made_of(rule, others),
        title=rule.title,
        level=rule.level,
        levels=Counter(alert.level for alert in now),
        hidden=_hidden(rule, others, hidden),
        events=sum(alert.count for alert in now),
        alerts=len(now),
        by_day={day.isoformat(): per_day[day] for day in _each(*days)},
        forecast=forecast(per_day, *days),
        entities=_top(now),
        known=Counter(map(_decided, kept)),
        fresh=len(now) - len(kept),
        gone=len(gone),
        gone_true=sum(_decided(before[id_]) == Verdict.TRUE_POSITIVE for id_ in gone),
        noisy_since=noisy_since,
        broken=broken,
    )


def _each(first: date, last: date) -> Iterable[date]:
    return map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1))


def made_of(rule: RuleDoc, others: Iterable[RuleDoc]) -> tuple[str, ...]:
    """Tells a rule from what it was before somebody changed it, or one of its base rules among `others`."""
    by_id = {other.id: other for other in others}
    return (rule.hash, *(by_id[base].hash if base in by_id else "" for base in _bases(rule, by_id)))


def _bases(rule: RuleDoc, by_id: Mapping[str, RuleDoc]) -> list[str]:
    """The ids of all rules that a correlation is made of, through others as well."""
    found: dict[str, None] = {}
    for base in rule.bases:
        found[base] = None
        if base in by_id:
            found |= dict.fromkeys(_bases(by_id[base], by_id))
    return list(found)


def _hidden(rule: RuleDoc, others: Iterable[RuleDoc], hidden: Iterable[Hidden]) -> Mapping[str, int]:
    counted = Counter[str]()
    about = {rule.id, *_bases(rule, {other.id: other for other in others})}
    for one in hidden:
        if one.rule_id in about:
            counted[one.exception_id] += one.events
    return counted


def _decided(alert: Alert) -> str:
    triage = alert.triage
    return str(triage.verdict) if triage.status is Status.CLOSED and triage.verdict else OPEN


def _top(alerts: Iterable[Alert]) -> tuple[Entity, ...]:
    alerts_of, events_of = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for alert in alerts:
        alerts_of[alert.entity_field, alert.entity] += 1
        events_of[alert.entity_field, alert.entity] += alert.count
    most = sorted(alerts_of, key=lambda who: (-alerts_of[who], -events_of[who], who))[:_TOP]
    return tuple(Entity(*who, alerts_of[who], events_of[who]) for who in most)
