"""Incidents in the control database."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import orjson

from soc.buffer.database import Database
from soc.errors import Conflict, NotFound
from soc.model.alert import Change, Verdict
from soc.model.incident import Incident, IncidentDecision, IncidentStatus
from soc.model.org import EVERYTHING, Scope
from soc.store.base import Page
from soc.store.cursor import decode, encode
from soc.store.decision import begun, decided_incident

# In the order of `Incident`.
COLUMNS = ("id", "title", "orgs", "created_at", "created_by", "updated_at", "updated_by", "status", "verdict", "assignee",
           "version", "merged_into")  # fmt: skip
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM incident"
# Of the JSON list given: none of the incident's organisations is outside it.
_INSIDE = "NOT EXISTS (SELECT 1 FROM json_each(orgs) o WHERE o.value NOT IN (SELECT value FROM json_each(?)))"


class SqliteIncidents:
    """`IncidentStore` on SQLite."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self, incident: Incident, *, by: str, split_from: str | None = None) -> None:
        with self._db.write() as db:
            if db.execute("SELECT 1 FROM incident WHERE id = ?", (incident.id,)).fetchone():
                raise Conflict(f"there is an incident {incident.id} already: choose another id")
            _write(db, incident, begun(incident, by, split_from))

    def get(self, incident_id: str, scope: Scope) -> Incident:
        with self._db.read() as db:
            return _get(db, incident_id, scope)

    def change(self, incident_id: str, decision: IncidentDecision, *, by: str, now: int) -> Incident:
        with self._db.write() as db:
            new, changes = decided_incident(_get(db, incident_id, EVERYTHING), decision, by=by, now=now)
            if changes:
                _write(db, new, changes)
        return new

    def history(self, incident_id: str) -> list[Change]:
        with self._db.read() as db:
            rows = db.execute(
                "SELECT incident_id, at, by, field, old, new FROM incident_change WHERE incident_id = ? ORDER BY id",
                (incident_id,),
            )
            return [Change(*row) for row in rows]

    def list(
        self, scope: Scope, *, status: IncidentStatus | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Incident]:
        conditions, values = ["1"], list[object]()
        if scope.orgs is not None:
            conditions.append(_INSIDE)
            values.append(orjson.dumps(sorted(scope.orgs)).decode())
        if status is not None:
            conditions.append("status = ?")
            values.append(status)
        if cursor is not None:
            conditions.append("(created_at, id) < (?, ?)")
            values += decode(cursor)
        sql = f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY created_at DESC, id DESC LIMIT ?"
        with self._db.read() as db:
            rows = db.execute(sql, (*values, limit + 1)).fetchall()
        found = tuple(_incident(row) for row in rows[:limit])
        return Page(found, encode(found[-1].created_at, found[-1].id) if len(rows) > limit else None)


def _get(db: sqlite3.Connection, incident_id: str, scope: Scope) -> Incident:
    row = db.execute(f"{_SELECT} WHERE id = ?", (incident_id,)).fetchone()
    incident = _incident(row) if row else None
    if incident is None or not scope.allows_all(incident.orgs):
        raise NotFound(f"there is no incident {incident_id}")
    return incident


def _write(db: sqlite3.Connection, incident: Incident, changes: Sequence[Change]) -> None:
    marks = ", ".join("?" * len(COLUMNS))
    id_, title, orgs, *rest = astuple(incident)
    db.execute(
        f"REPLACE INTO incident ({', '.join(COLUMNS)}) VALUES ({marks})",
        (id_, title, orjson.dumps(orgs).decode(), *rest),
    )
    db.executemany(
        "INSERT INTO incident_change (incident_id, at, by, field, old, new) VALUES (?, ?, ?, ?, ?, ?)",
        map(astuple, changes),
    )


def _incident(row: Sequence[Any]) -> Incident:
    known = dict(zip(COLUMNS, row, strict=True))
    known["orgs"] = tuple(orjson.loads(known["orgs"]))
    known["status"] = IncidentStatus(known["status"])
    known["verdict"] = Verdict(known["verdict"]) if known["verdict"] else None
    return Incident(**known)
