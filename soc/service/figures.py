"""What there is to do and who sends what, for dashboards: asked of the stores now and then by a thread of the API process, so that a
scrape takes no longer for it. By ministry or province, as a country has thousands of communes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice

import structlog
from prometheus_client import Gauge

from api.directory import Organisations
from api.standing import standings
from collector.traffic import OTHER
from soc import telemetry
from soc.complaint import Complaint
from soc.model.calendar import HOUR_MS
from soc.model.incident import Incident, IncidentStatus
from soc.model.org import EVERYTHING, OrgKind, unit_of
from soc.model.rule import RuleDoc
from soc.model.silence import Freshness
from soc.service.looking import keep_looking
from soc.store.base import Stores

log = structlog.get_logger("figures")

EVERY_S = 15.0
_AGES = {"1h": HOUR_MS, "4h": 4 * HOUR_MS, "1d": 24 * HOUR_MS, "7d": 168 * HOUR_MS}
_MOST_RULES = 20
_MOST_UNITS = 100  # there are about 80; an administrator could have enrolled any number
_MOST_INCIDENTS = 2_000

Rows = Mapping[tuple[str, ...], float]


class Figures:
    """`clock`: ms since 1970 UTC."""

    def __init__(self, stores: Stores, clock: Callable[[], int]) -> None:
        self._stores, self._clock = stores, clock
        self._organisations = Organisations(stores.policies)

    def run(self, stop: threading.Event, every_s: float = EVERY_S) -> None:
        """Look again and again until told to stop, whatever one look meets."""
        complaint = Complaint(log, "figures for dashboards cannot be asked for", "figures are there again")
        keep_looking(self.look, every_s, complaint, stop, telemetry.FIGURES_FAILURES)

    def look(self) -> None:
        """Ask for all of them. May raise what a store raises; those that were asked before are new then, the others as they were."""
        now, alerts = self._clock(), self._stores.alerts
        rules = {rule.id: rule for rule in alerts.running()[0]}
        unclosed = Counter[tuple[str, ...]]()
        for (org, rule_id), number in alerts.unclosed(EVERYTHING).items():
            level = rules[rule_id].level if rule_id in rules else OTHER
            unclosed[unit_of(org), level] += number
        _show(telemetry.ALERTS_OPEN, _bounded(unclosed))
        _show(
            telemetry.ALERTS_OLD,
            {(than,): alerts.unclosed_before(now - age, EVERYTHING) for than, age in _AGES.items()},
        )
        verdicts = Counter[tuple[str, ...]]()
        for by_verdict in alerts.verdicts(EVERYTHING).values():
            verdicts.update({(verdict.value,): number for verdict, number in by_verdict.items()})
        _show(telemetry.ALERTS_CLOSED, verdicts)
        busiest = Counter(alerts.by_rule(EVERYTHING, since=now - _AGES["1d"])).most_common(_MOST_RULES)
        _show(telemetry.RULE_ALERTS, {_named(id_, rules.get(id_)): number for id_, number in busiest})
        units = (unit for one in self._incidents() for unit in {unit_of(org) for org in one.orgs})
        _show(telemetry.INCIDENTS_OPEN, _bounded(Counter((unit,) for unit in units)))
        known = standings(self._stores, EVERYTHING, now)
        sources = _bounded(Counter((unit_of(one.source.org), one.state.value) for one in known))
        # None is said as well: a share of what is not there would be no figure, and the worst province would vanish.
        every = {unit for unit, *_ in sources} | self._provinces(now)
        none: dict[tuple[str, ...], float] = {(unit, state.value): 0 for unit in every for state in Freshness}
        _show(telemetry.SOURCES, none | sources)

    def _provinces(self, now: int) -> set[str]:
        """Of the directory, where there is one: also those that nobody has connected yet."""
        today = datetime.fromtimestamp(now / 1000, UTC).date()
        known = (one for one in self._organisations.directory() if one.kind is OrgKind.PROVINCE)
        return set(islice((one.code for one in known if not one.ended(today)), _MOST_UNITS))

    def _incidents(self) -> Iterator[Incident]:
        cursor, number = None, 0
        while number < _MOST_INCIDENTS:
            page = self._stores.incidents.list(EVERYTHING, status=IncidentStatus.OPEN, cursor=cursor, limit=200)
            yield from page.items
            number, cursor = number + len(page.items), page.next
            if cursor is None:
                return


def _named(rule_id: str, rule: RuleDoc | None) -> tuple[str, str, str]:
    """Id, title, and what logs it looks at: `webserver` for portals."""
    if rule is None:
        return rule_id, rule_id, OTHER
    sources = {one.category or one.product or OTHER for one in rule.logsources}
    return rule_id, rule.title, min(sources, default=OTHER)


def _bounded(rows: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """With the units of most; the others together."""
    units = Counter[str]()
    for (unit, *_), number in rows.items():
        units[unit] += number
    kept = {unit for unit, _ in units.most_common(_MOST_UNITS)}
    bounded = Counter[tuple[str, ...]]()
    for (unit, *rest), number in rows.items():
        bounded[unit if unit in kept else OTHER, *rest] += number
    return bounded


def _show(gauge: Gauge, rows: Rows) -> None:
    """These, and no others any more. What stays is there all the while: a scrape in between would tell of something that is over."""
    before = {tuple(sample.labels.values()) for family in gauge.collect() for sample in family.samples}
    for labels, value in rows.items():
        gauge.labels(*labels).set(value)
    for gone in before - rows.keys():
        gauge.remove(*gone)
