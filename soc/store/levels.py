"""Service levels in `anomaly.db`: as they stand, and what the observer has to remember to go on with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

import orjson

from soc.model.org import Scope
from soc.model.service_level import Blame, Burning, Part, Place, ServiceLevel
from soc.store.base import Page
from soc.store.cursor import decode, encode
from soc.store.observed import ReadOnly, within

SCHEMA = """
    CREATE TABLE level (
        key TEXT PRIMARY KEY,
        org TEXT NOT NULL,
        system TEXT NOT NULL,
        urgency INTEGER NOT NULL,
        budget_left REAL NOT NULL,
        body TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX level_worst ON level (urgency, budget_left, key);
    CREATE TABLE level_state (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) WITHOUT ROWID
"""
_URGENCY = {"page": 0, "ticket": 1}  # and 2: nothing burns
_SEPARATOR = "\x1f"  # in no agency code, and before all that is


def write(
    db: sqlite3.Connection,
    levels: Iterable[ServiceLevel] | None,
    changes: Mapping[str, bytes | None],
    *,
    anew: bool = False,
) -> None:
    """Inside the caller's transaction. `levels`: all there are, None: as they were. `changes`: see `detector.health.Levels.changes`.
    `anew`: what was kept of them before goes: its rows would be taken for those of others."""
    if anew:
        db.execute("DELETE FROM level_state")
        db.execute("DELETE FROM level")
    if levels is not None:
        db.execute("DELETE FROM level")
        db.executemany("INSERT INTO level VALUES (?, ?, ?, ?, ?, ?)", map(_row, levels))
    gone = [(name,) for name, value in changes.items() if value is None]
    db.executemany("DELETE FROM level_state WHERE name = ?", gone)
    kept = [(name, value) for name, value in changes.items() if value is not None]
    db.executemany(
        "INSERT INTO level_state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", kept
    )


def state(db: sqlite3.Connection) -> dict[str, bytes]:
    """All that `write` was given and is not gone."""
    return dict(db.execute("SELECT name, value FROM level_state"))


class LevelStore(Protocol):
    """What people are shown of service levels. Raises `StoreUnavailable` and `Busy`."""

    def worst(
        self, scope: Scope, *, org: str = "", system: str = "", limit: int = 200
    ) -> tuple[list[ServiceLevel], int]:
        """Those that burn first, then those with the least budget left; and how many there are."""
        ...

    def page(
        self, scope: Scope, *, org: str = "", system: str = "", cursor: str | None = None, limit: int = 50
    ) -> Page[ServiceLevel]:
        """By organisation, system and name. Raises `QueryError` for a cursor that is none."""
        ...


class SqliteLevels(ReadOnly):
    """`LevelStore` on what the observer has written."""

    def worst(
        self, scope: Scope, *, org: str = "", system: str = "", limit: int = 200
    ) -> tuple[list[ServiceLevel], int]:
        where, values = _where(scope, org, system)
        rows = self._rows(
            f"SELECT body, count(*) OVER () FROM level WHERE {where} ORDER BY urgency, budget_left, key LIMIT ?",
            [*values, limit],
        )
        return [_level(body) for body, _ in rows], rows[0][1] if rows else 0

    def page(
        self, scope: Scope, *, org: str = "", system: str = "", cursor: str | None = None, limit: int = 50
    ) -> Page[ServiceLevel]:
        after = decode(cursor)[1] if cursor is not None else ""
        where, values = _where(scope, org, system)
        rows = self._rows(
            f"SELECT body, key FROM level WHERE {where} AND key > ? ORDER BY key LIMIT ?", [*values, after, limit + 1]
        )
        more = encode(0, rows[limit - 1][1]) if len(rows) > limit else None
        return Page(tuple(_level(body) for body, _ in rows[:limit]), more)

    def never_good(self) -> list[ServiceLevel]:
        """Those of which no event was ever good, by organisation, system and name. Raises `StoreUnavailable` and `Busy`."""
        rows = self._rows("SELECT body FROM level WHERE json_extract(body, '$.ever_good') = 0 ORDER BY key", [])
        return [level for (body,) in rows if (level := _level(body)).never_good]


def _where(scope: Scope, org: str, system: str) -> tuple[str, list[Any]]:
    where, values = within(scope)
    for name, value in (("org", org), ("system", system)):
        if value:
            where, values = f"{where} AND {name} = ?", [*values, value]
    return where, values


def _row(level: ServiceLevel) -> tuple[Any, ...]:
    key = _SEPARATOR.join((level.org, level.system, level.name))
    urgency = _URGENCY.get(level.burning.severity, 1) if level.burning else 2
    left = level.budget_left
    return key, level.org, level.system, urgency, 1.0 if left is None else left, orjson.dumps(asdict(level)).decode()


def _level(body: str) -> ServiceLevel:
    fields = orjson.loads(body)
    burning = fields["burning"]
    if burning is not None:
        place = burning["place"]
        burning["place"] = Place(Blame(place["blame"]), tuple(place["upstream"]), tuple(place["local"]))
    fields["parts"] = tuple(Part(**{**part, "kind": Blame(part["kind"])}) for part in fields["parts"])
    fields["burning"] = burning and Burning(**burning)
    return ServiceLevel(**fields)
