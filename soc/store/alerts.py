"""Alerts as analysts see them: the detector's facts joined with triage from the control database. Read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from soc.buffer.database import Database
from soc.errors import NotFound
from soc.model.alert import Alert, Status, Triage, Verdict
from soc.model.finding import Finding, finding_id
from soc.model.org import Scope
from soc.model.rule import RuleDoc, RuleFault, Stage
from soc.model.tuning import Hidden
from soc.store.base import AlertFilter, Page
from soc.store.control import control_file
from soc.store.cursor import decode, decode_pair, encode, encode_pair
from soc.store.detections import SCHEMA, detections_file, rule_doc
from soc.store.triage import STATE, triage_of

_ALERT = f"""
    SELECT a.id, a.rule_id, a.rule_hash, a.title, a.level, a.org, a.entity_field, a.entity, a.first_seen, a.last_seen,
           a.count, a.raised_at, a.tags, a.stage, {", ".join(f"t.{name}" for name in STATE)}
    FROM alert a LEFT JOIN control.triage t ON t.alert_id = a.id
"""
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

    def list(self, where: AlertFilter, scope: Scope, *, cursor: str | None = None, limit: int = 50) -> Page[Alert]:
        conditions, values = _conditions(where, scope)
        if cursor is not None:
            raised_at, last_id = decode(cursor)
            conditions.append("(a.raised_at, a.id) < (?, ?)")
            values += [raised_at, last_id]
        sql = f"{_ALERT} WHERE {' AND '.join(conditions)} ORDER BY a.raised_at DESC, a.id DESC LIMIT ?"
        with self._db.read() as db:
            rows = db.execute(sql, (*values, limit + 1)).fetchall()
        alerts = tuple(_alert(row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(alerts, encode(alerts[-1].raised_at, alerts[-1].id) if more else None)

    def findings(self, alert_id: str, scope: Scope, *, cursor: str | None = None, limit: int = 50) -> Page[Finding]:
        self.get(alert_id, scope)
        after = decode(cursor)[1] if cursor is not None else ""
        with self._db.read() as db:
            rows = db.execute(
                f"{_FINDING} WHERE f.alert_id = ? AND f.event_id > ? ORDER BY f.event_id LIMIT ?",
                (alert_id, after, limit + 1),
            ).fetchall()
        found = tuple(_finding(row) for row in rows[:limit])
        return Page(found, encode(0, found[-1].event_id) if len(rows) > limit else None)

    def counts(self, scope: Scope) -> Mapping[Status, int]:
        conditions, values = _conditions(AlertFilter(), scope)
        with self._db.read() as db:
            rows = db.execute(
                "SELECT coalesce(t.status, 'new'), count(*) FROM alert a LEFT JOIN control.triage t ON t.alert_id = a.id "
                f"WHERE {' AND '.join(conditions)} GROUP BY 1",
                values,
            ).fetchall()
        return dict.fromkeys(Status, 0) | {Status(status): n for status, n in rows}

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

    def by_rule(self, scope: Scope, *, stage: Stage = Stage.LIVE, since: int | None = None) -> Mapping[str, int]:
        conditions, values = _conditions(AlertFilter(stage=stage), scope)
        if since is not None:
            conditions.append("a.raised_at >= ?")
            values.append(since)
        with self._db.read() as db:
            return dict(
                db.execute(f"SELECT rule_id, count(*) FROM alert a WHERE {' AND '.join(conditions)} GROUP BY 1", values)
            )

    def verdicts(self, scope: Scope) -> Mapping[str, Mapping[Verdict, int]]:
        conditions, values = _conditions(AlertFilter(status=Status.CLOSED), scope)
        found: dict[str, dict[Verdict, int]] = {}
        with self._db.read() as db:
            rows = db.execute(
                "SELECT a.rule_id, t.verdict, count(*) FROM control.triage t JOIN alert a ON a.id = t.alert_id "
                f"WHERE {' AND '.join(conditions)} AND t.verdict IS NOT NULL GROUP BY 1, 2",
                values,
            ).fetchall()
        for rule_id, verdict, number in rows:
            found.setdefault(rule_id, {})[Verdict(verdict)] = number
        return found

    def of_rule(
        self, rule_id: str, scope: Scope, *, since: int, cursor: str | None = None, limit: int = 500
    ) -> Page[Finding]:
        conditions, values = _conditions(AlertFilter(rule_id=rule_id, since=since, stage=None), scope)
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


def _conditions(where: AlertFilter, scope: Scope) -> tuple[list[str], list[object]]:
    conditions, values = ["1"], list[object]()
    if scope.orgs is not None:
        conditions.append(f"a.org IN ({','.join('?' * len(scope.orgs))})")
        values += sorted(scope.orgs)
    for condition, value in (
        ("coalesce(t.status, 'new') = ?", where.status),
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
