"""What an exception would have hidden of what was found: asked before it is laid down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial

from rules.desk.exception import compiled
from soc.model import anomaly, unusual
from soc.model.alert import Status, Verdict
from soc.model.asked import Bounds
from soc.model.calendar import DAY_MS
from soc.model.event import Fields
from soc.model.finding import Finding
from soc.model.org import Scope
from soc.model.rule import RuleDoc
from soc.model.tuning import RuleException, RuleSetting
from soc.query.evaluate import predicate
from soc.store.base import AlertFilter, AlertStore, EventStore
from soc.store.paging import every

DAYS = 30
OBSERVED = (anomaly.RULE_PREFIX, unusual.RULE_PREFIX)  # of what the observer finds: conditions ask what it matched
MOST_FINDINGS = 20_000
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Preview:
    """Of `examined` findings of the last `DAYS` days: `events` hidden, `alerts` that would not have been, and the ids of those of them
    that were confirmed as true.

    `touched`: alerts that would have fewer events. `gone`: findings whose event is no longer kept, which nothing is known of.
    `complete`: false where there were more findings than are looked at.
    """

    examined: int = 0
    events: int = 0
    alerts: int = 0
    touched: int = 0
    confirmed: tuple[str, ...] = ()
    gone: int = 0
    complete: bool = True


def preview(
    alerts: AlertStore,
    events: EventStore,
    running: Sequence[RuleDoc],
    settings: Mapping[str, RuleSetting],
    exception: RuleException,
    scope: Scope,
    now: int,
    zone: tzinfo,
) -> Preview:
    """Looks at what the rule found inside the scope and, when it feeds correlations, at what these did. `settings`: by rule, for the
    thresholds that hold. Raises `QueryError`."""
    look = _Look(alerts, events, predicate(compiled(exception.condition, zone)), _narrowed(scope, exception), now)
    for rule in running:
        if rule.id == exception.rule_id:
            look.at(rule, at_least=lambda _: 1, by_group=bool(rule.bases) or rule.id.startswith(OBSERVED))
        elif exception.rule_id in rule.bases:
            look.at(rule, at_least=partial(_needed, rule, settings.get(rule.id)), by_group=False)
    return look.result()


def _needed(rule: RuleDoc, setting: RuleSetting | None, org: str) -> int:
    """How many events it takes there."""
    bounds = setting.bounds if setting else {}
    threshold = bounds.get(org, bounds.get("", Bounds())).threshold
    if threshold is not None and rule.asked and rule.asked.compares:
        return rule.asked.at_least(threshold)
    return max(rule.at_least, 1)


def _narrowed(scope: Scope, exception: RuleException) -> Scope:
    if not exception.orgs:
        return scope
    return Scope(frozenset(org for org in exception.orgs if scope.allows(org)))


class _Look:
    """Counts while it goes through the findings of one rule after the other."""

    def __init__(
        self, alerts: AlertStore, events: EventStore, holds: Callable[[Fields], bool], scope: Scope, now: int
    ) -> None:
        self._alerts, self._events, self._holds, self._scope = alerts, events, holds, scope
        self._since = now - DAYS * DAY_MS
        self._examined = self._gone = 0
        self._complete = True
        self._hidden: set[str] = set()
        self._touched: set[str] = set()
        self._lost: list[str] = []
        self._confirmed: list[str] = []

    def at(self, rule: RuleDoc, *, at_least: Callable[[str], int], by_group: bool) -> None:
        """`at_least`: of an organisation, with fewer events left than these the alert would not have been. `by_group`: what the rule groups
        by is asked."""
        left, hidden = Counter[str](), Counter[str]()
        orgs: dict[str, str] = {}
        for page in self._pages(rule.id):
            for finding, fields in self._asked(page, by_group):
                if fields is None:
                    self._gone += 1
                if fields is not None and self._holds(fields):
                    hidden[finding.alert_id] += 1
                    orgs[finding.alert_id] = finding.org
                    self._hidden.add(finding.event_id)
                else:
                    left[finding.alert_id] += 1
        lost = [alert for alert in hidden if left[alert] < at_least(orgs[alert])]
        self._touched |= hidden.keys()
        self._lost += lost
        if lost:
            self._confirmed += sorted(self._true(rule.id).intersection(lost))

    def result(self) -> Preview:
        return Preview(
            self._examined,
            len(self._hidden),
            len(self._lost),
            len(self._touched),
            tuple(self._confirmed),
            self._gone,
            self._complete,
        )

    def _pages(self, rule_id: str) -> Iterator[tuple[Finding, ...]]:
        cursor = None
        while True:
            if self._examined >= MOST_FINDINGS:
                self._complete = False
                return
            page = self._alerts.of_rule(rule_id, self._scope, since=self._since, cursor=cursor, limit=_PAGE)
            self._examined += len(page.items)
            yield page.items
            if (cursor := page.next) is None:
                return

    def _asked(self, page: Sequence[Finding], by_group: bool) -> Iterator[tuple[Finding, Fields | None]]:
        """Each finding with the fields that the condition asks; None: its event is not kept any more."""
        if by_group:
            yield from ((f, f.matched | {"organization.id": f.org}) for f in page)
            return
        kept = {event.id: event.fields for event in self._events.many([f.event_id for f in page], self._scope)}
        yield from ((f, kept.get(f.event_id)) for f in page)

    def _true(self, rule_id: str) -> set[str]:
        """The alerts of the rule that somebody closed as true."""
        where = AlertFilter(status=Status.CLOSED, rule_id=rule_id, since=self._since, stage=None)
        closed = every(lambda at: self._alerts.list(where, self._scope, cursor=at, limit=_PAGE))
        return {alert.id for alert in closed if alert.triage.verdict is Verdict.TRUE_POSITIVE}
