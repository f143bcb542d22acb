"""How the alerts of a filter are found in SQLite: at a million alerts the wrong index takes seconds.

Each statement gives ids in order of the queue, most recently raised first, from indexes alone; whole rows are read of what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from soc.model.alert import Status
from soc.model.org import Scope
from soc.store.base import AlertFilter

FEW = 20_000  # alerts: so many are sorted faster than they are looked for among all others

_FROM_ALERTS = (
    "SELECT a.raised_at, a.id FROM alert a INDEXED BY {index} LEFT JOIN control.triage t INDEXED BY triage_of_time "
    "ON t.raised_at = a.raised_at AND t.alert_id = a.id"
)
_FROM_DECISIONS = "SELECT t.raised_at, t.alert_id AS id FROM control.triage t INDEXED BY {index} CROSS JOIN alert a ON a.id = t.alert_id"


@dataclass(frozen=True, slots=True)
class Listing:
    """`key`: the two columns that are the place in the queue."""

    select: str
    key: tuple[str, str]
    conditions: list[str]
    values: list[object]

    def sql(self, after: tuple[int, str] | None, limit: int) -> tuple[str, list[object]]:
        conditions, values = self.conditions, self.values
        if after is not None:
            conditions, values = [*conditions, f"({', '.join(self.key)}) < (?, ?)"], [*values, *after]
        order = ", ".join(f"{column} DESC" for column in self.key)
        where = " AND ".join(conditions) or "1"
        return f"{self.select} WHERE {where} ORDER BY {order} LIMIT ?", [*values, limit]


def listing(where: AlertFilter, scope: Scope, *, few: bool) -> Listing:
    """`few`: the organisations of the scope have less than `FEW` alerts together."""
    conditions, values = filtered(where, scope)
    if index := _by_decision(where, few):
        return Listing(_FROM_DECISIONS.format(index=index), ("t.raised_at", "t.alert_id"), conditions, values)
    index = _by_fact(where, few)
    return Listing(_FROM_ALERTS.format(index=index), ("a.raised_at", "a.id"), conditions, values)


def _by_decision(where: AlertFilter, few: bool) -> str | None:
    """Those that people have decided on, when a filter asks for some of them and nothing narrows it more."""
    if where.incident:
        return "triage_incident"
    if where.entity or where.org or few:
        return None
    if where.assignee:
        return "triage_of_assignee"
    return "triage_of_status" if where.status in (Status.ACKNOWLEDGED, Status.CLOSED) else None


def _by_fact(where: AlertFilter, few: bool) -> str:
    if where.entity:
        return "alert_of_entity"
    if where.org or few:
        return "alert_of_org"
    return "alert_of_rule_time" if where.rule_id else "alert_of_time"


def filtered(where: AlertFilter, scope: Scope) -> tuple[list[str], list[object]]:
    conditions, values = list[str](), list[object]()
    if scope.orgs is not None:
        conditions.append(f"a.org IN ({','.join('?' * len(scope.orgs))})")
        values += sorted(scope.orgs)
    for condition, value in (
        # Whoever is at another state is in the index of decisions; most new ones have no decision at all.
        ("coalesce(t.status, 'new') = ?" if where.status is Status.NEW else "t.status = ?", where.status),
        ("a.level = ?", where.level),
        ("a.org = ?", where.org),
        ("a.rule_id = ?", where.rule_id),
        ("a.entity = ?", where.entity),
        ("t.assignee = ?", where.assignee),
        ("a.last_seen >= ?", where.since),
        ("a.last_seen < ?", where.until),
        ("a.stage = ?", where.stage),
        ("t.incident = ?", where.incident),
        ("coalesce(t.snoozed_until, 0) <= ?", where.awake_at),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return conditions, values
