"""Alerts as analysts see them: the detector's facts joined with triage from the control database. Read only."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

from soc.buffer.database import Database
from soc.errors import NotFound
from soc.model.alert import Alert, Status, Triage, Verdict
from soc.model.canary import Canary
from soc.model.finding import Finding, finding_id
from soc.model.org import Scope
from soc.model.rule import RuleCost, RuleDoc, RuleFault, RulesInForce, Stage
from soc.model.tuning import Hidden
from soc.store.base import AlertFilter, Page
from soc.store.control import control_file
from soc.store.cursor import above, decode, decode_pair, encode, encode_pair
from soc.store.detections import SCHEMA, canary_of, detections_file, rule_doc
from soc.store.listing import FEW, filtered, listing
from soc.store.triage import STATE, triage_of

_ALERT = f"""
    SELECT a.id, a.rule_id, a.rule_hash, a.title, a.level, a.org, a.entity_field, a.entity, a.first_seen, a.last_seen,
           a.count, a.raised_at, a.tags, a.stage, {", ".join(f"t.{name}" for name in STATE)}
    FROM alert a LEFT JOIN control.triage t ON t.alert_id = a.id
"""
_FOUND = f"{_ALERT} JOIN ({{}}) found ON found.id = a.id ORDER BY a.raised_at DESC, a.id DESC"
_FINDING = """
    SELECT f.alert_id, f.event_id, f.rule_hash, f.ts, f.matched, a.rule_id, a.org, a.entity_field, a.entity
    FROM finding f JOIN alert a ON a.id = f.alert_id
"""
# Alerts by their index and the findings of each by its key come in order already: nothing is sorted.
_FINDING_OF_RULE = _FINDING.replace("finding f JOIN alert a", "alert a CROSS JOIN finding f")


class SqliteAlerts:
    """`AlertStore` on SQLite."""

    def __init__(self, data_dir: Path) -> None:
        self._db = Database(detections_file(data_dir), SCHEMA, attach={"control": control_file(data_dir)})

    def get(self, alert_id: str, scope: Scope) -> Alert:
        with self._db.read() as db:
            row = db.execute(f"{_ALERT} WHERE a.id = ?", (alert_id,)).fetchone()
        if row is None or not scope.allows(row[5]):
            raise NotFound(f"there is no alert {alert_id}")
        return _alert(row)

    def several(self, alert_ids: Sequence[str], scope: Scope) -> Mapping[str, Alert]:
        with self._db.read() as db:
            rows = db.execute(f"{_ALERT} WHERE a.id IN ({','.join('?' * len(alert_ids))})", alert_ids).fetchall()
        return {alert.id: alert for alert in map(_alert, rows) if scope.allows(alert.org)}

    def list(self, where: AlertFilter, scope: Scope, *, cursor: str | None = None, limit: int = 50) -> Page[Alert]:
        after = decode(cursor) if cursor is not None else None
        with self._db.read() as db:
            finding, values = listing(where, scope, few=_few(db, scope)).sql(after, limit + 1)
            rows = db.execute(_FOUND.format(finding), values).fetchall()
        alerts = tuple(_alert(row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(alerts, encode(alerts[-1].raised_at, alerts[-1].id) if more else None)

    def findings(
        self, alert_id: str, scope: Scope, *, since: int | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Finding]:
        self.get(alert_id, scope)
        after = above(since, cursor)
        with self._db.read() as db:
            rows = db.execute(
                f"{_FINDING} WHERE f.alert_id = ? AND f.event_id > ? ORDER BY f.event_id LIMIT ?",
                (alert_id, after, limit + 1),
            ).fetchall()
        found = tuple(_finding(row) for row in rows[:limit])
        return Page(found, encode(0, found[-1].event_id) if len(rows) > limit else None)

    def finding(self, alert_id: str, event_id: str, scope: Scope) -> Finding:
        self.get(alert_id, scope)
        with self._db.read() as db:
            row = db.execute(f"{_FINDING} WHERE f.alert_id = ? AND f.event_id = ?", (alert_id, event_id)).fetchone()
        if row is None:
            raise NotFound(f"the event {event_id} is not one of this alert")
        return _finding(row)

    def counts(self, scope: Scope) -> Mapping[Status, int]:
        where, values = _counted(scope, Stage.LIVE)
        with self._db.read() as db:
            all_alerts = db.execute(f"SELECT coalesce(sum(alerts), 0) FROM raised WHERE {where}", values).fetchone()[0]
            decided = db.execute(f"SELECT status, sum(alerts) FROM control.decided WHERE {where} GROUP BY 1", values)
            counts = dict.fromkeys(Status, 0) | {Status(status): alerts for status, alerts in decided}
        # Most new ones have no triage at all.
        return counts | {Status.NEW: all_alerts - counts[Status.ACKNOWLEDGED] - counts[Status.CLOSED]}

    def unclosed(self, scope: Scope) -> Mapping[tuple[str, str], int]:
        where, values = _each(scope)
        with self._db.read() as db:
            left = {
                (org, rule_id): number
                for org, rule_id, number in db.execute(f"SELECT org, rule_id, alerts FROM raised WHERE {where}", values)
            }
            closed = f"SELECT org, rule_id, sum(alerts) FROM control.decided WHERE {where} AND status = 'closed' GROUP BY 1, 2"
            for org, rule_id, number in db.execute(closed, values):
                left[org, rule_id] = left.get((org, rule_id), 0) - number
        return {key: number for key, number in left.items() if number > 0}

    def unclosed_before(self, time: int, scope: Scope) -> int:
        where, values = _each(scope)
        with self._db.read() as db:
            [[raised]] = db.execute(f"SELECT count(*) FROM alert WHERE {where} AND raised_at < ?", (*values, time))
            closed = f"SELECT count(*) FROM control.triage WHERE {where} AND status = 'closed' AND raised_at < ?"
            return max(0, int(raised) - int(db.execute(closed, (*values, time)).fetchone()[0]))

    def rule(self, rule_hash: str) -> RuleDoc:
        with self._db.read() as db:
            row = db.execute("SELECT doc FROM rule WHERE hash = ?", (rule_hash,)).fetchone()
        if row is None:
            raise NotFound(f"no rule with hash {rule_hash} has fired here")
        return rule_doc(row[0])

    def running(self) -> tuple[Sequence[RuleDoc], Sequence[RuleFault]]:
        with self._db.read() as db:
            docs = [rule_doc(row[0]) for row in db.execute("SELECT doc FROM running ORDER BY rowid")]
            return docs, [
                RuleFault(**orjson.loads(row[0])) for row in db.execute("SELECT doc FROM fault ORDER BY rowid")
            ]

    def costs(self) -> Mapping[str, RuleCost]:
        with self._db.read() as db:
            return {row[0]: RuleCost(*row) for row in db.execute("SELECT rule_id, samples, seconds FROM cost")}

    def canaries(self) -> Mapping[str, Canary]:
        with self._db.read() as db:
            found = (canary_of(orjson.loads(row[0])) for row in db.execute("SELECT doc FROM canary"))
            return {one.rule_id: one for one in found}

    def in_force(self) -> RulesInForce | None:
        with self._db.read() as db:
            row = db.execute("SELECT doc FROM in_force").fetchone()
        return RulesInForce(**orjson.loads(row[0])) if row else None

    def by_rule(self, scope: Scope, *, stage: Stage = Stage.LIVE, since: int | None = None) -> Mapping[str, int]:
        if since is None:
            where, values = _counted(scope, stage)
            counting = f"SELECT rule_id, sum(alerts) FROM raised WHERE {where} GROUP BY 1"
        else:
            conditions, values = filtered(AlertFilter(stage=stage), scope)
            where = " AND ".join([*conditions, "a.raised_at >= ?"])
            values.append(since)
            # Told nothing, SQLite goes through all alerts by rule.
            counting = f"SELECT rule_id, count(*) FROM alert a INDEXED BY alert_of_time WHERE {where} GROUP BY 1"
        with self._db.read() as db:
            return dict(db.execute(counting, values))

    def verdicts(self, scope: Scope) -> Mapping[str, Mapping[Verdict, int]]:
        where, values = _counted(scope, Stage.LIVE)
        found: dict[str, dict[Verdict, int]] = {}
        with self._db.read() as db:
            rows = db.execute(
                "SELECT rule_id, verdict, sum(alerts) FROM control.decided "
                f"WHERE {where} AND status = 'closed' AND verdict <> '' AND alerts > 0 GROUP BY 1, 2",
                values,
            ).fetchall()
        for rule_id, verdict, number in rows:
            found.setdefault(rule_id, {})[Verdict(verdict)] = number
        return found

    def of_rule(
        self, rule_id: str, scope: Scope, *, since: int, cursor: str | None = None, limit: int = 500
    ) -> Page[Finding]:
        conditions, values = filtered(AlertFilter(rule_id=rule_id, since=since, stage=None), scope)
        alert, event = decode_pair(cursor)
        with self._db.read() as db:
            rows = db.execute(
                f"{_FINDING_OF_RULE} WHERE {' AND '.join(conditions)} AND a.id >= ? AND f.ts >= ? AND (f.alert_id, f.event_id) > (?, ?) "
                "ORDER BY f.alert_id, f.event_id LIMIT ?",
                (*values, alert, since, alert, event, limit + 1),
            ).fetchall()
        found = tuple(_finding(row) for row in rows[:limit])
        return Page(found, encode_pair(found[-1].alert_id, found[-1].event_id) if len(rows) > limit else None)

    def hidden(self, scope: Scope, *, since: str, rule_id: str | None = None) -> Sequence[Hidden]:
        with self._db.read() as db:
            rows = db.execute(
                "SELECT rule_id, exception_id, org, day, events FROM hidden WHERE day >= ? AND rule_id = coalesce(?, rule_id) "
                "ORDER BY rule_id, exception_id, org, day",
                (since, rule_id),
            )
            return [Hidden(*row) for row in rows if scope.allows(row[2])]


def _few(db: sqlite3.Connection, scope: Scope) -> bool:
    """Whether the scope has few alerts. Counting stops as soon as there are many."""
    if scope.orgs is None:
        return False
    counted = db.execute(
        f"SELECT alerts FROM raised WHERE org IN ({','.join('?' * len(scope.orgs))})", sorted(scope.orgs)
    )
    return all(so_far < FEW for so_far in accumulate(alerts for (alerts,) in counted))


def _counted(scope: Scope, stage: Stage) -> tuple[str, list[object]]:
    """Of the tables that count alerts; all organisations together are `` there."""
    orgs = [""] if scope.orgs is None else sorted(scope.orgs)
    return f"stage = ? AND org IN ({','.join('?' * len(orgs))})", [stage, *orgs]


def _each(scope: Scope) -> tuple[str, list[object]]:
    """The rows of each organisation of the scope, of rules that are not in test."""
    if scope.orgs is None:
        return "stage = ? AND org <> ''", [Stage.LIVE]
    return f"stage = ? AND org IN ({','.join('?' * len(scope.orgs))})", [Stage.LIVE, *sorted(scope.orgs)]


def _alert(row: tuple[Any, ...]) -> Alert:
    *facts, tags, stage = row[: -len(STATE)]
    state = row[-len(STATE) :]
    triage = Triage() if state[0] is None else triage_of(state)
    return Alert(*facts, tuple(orjson.loads(tags)), triage, Stage(stage))  # type: ignore[call-arg]


def _finding(row: tuple[Any, ...]) -> Finding:
    alert, event, rule_hash, ts, matched, rule_id, org, entity_field, entity = row
    return Finding(
        finding_id(alert, event),
        alert,
        rule_id,
        rule_hash,
        org,
        entity_field,
        entity,
        ts,
        event,
        orjson.loads(matched),
    )
