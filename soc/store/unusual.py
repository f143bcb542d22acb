"""Entities that behave unlike themselves, in `anomaly.db`: what people are shown, and what the observer goes on with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import orjson

from soc.errors import NotFound
from soc.model.calendar import DAY_MS
from soc.model.org import Scope
from soc.model.unusual import Covered, Crowd, Reason, Unusual
from soc.store.base import Page
from soc.store.cursor import decode, encode
from soc.store.observed import ReadOnly, within

SCHEMA = """
    CREATE TABLE unusual (
        id TEXT PRIMARY KEY,
        org TEXT NOT NULL,
        people TEXT NOT NULL,
        at INTEGER NOT NULL,
        score REAL NOT NULL,
        alert TEXT NOT NULL,
        body TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX unusual_at ON unusual (at, org);
    CREATE INDEX unusual_of_alert ON unusual (alert, at);
    CREATE TABLE crowd (
        org TEXT NOT NULL,
        people TEXT NOT NULL,
        hash TEXT NOT NULL,
        state BLOB,
        PRIMARY KEY (org, people)
    );
    CREATE TABLE crowd_told (
        n INTEGER PRIMARY KEY,
        org TEXT NOT NULL,
        people TEXT NOT NULL,
        events BLOB NOT NULL
    );
    CREATE INDEX crowd_told_of ON crowd_told (org, people, n);
    CREATE TABLE crowd_standing (
        org TEXT NOT NULL,
        people TEXT NOT NULL,
        other INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (org, people)
    ) WITHOUT ROWID
"""
SCHEMA_OF_A_KIND = "CREATE INDEX unusual_of_kind ON unusual (org, people, at)"
_KEPT_MS = 365 * DAY_MS
_SHOWN = 1000  # crowds
Key = tuple[str, str]  # organisation, kind


def write(
    db: sqlite3.Connection,
    *,
    gone: Iterable[Key] = (),
    snapshots: Mapping[Key, bytes] | None = None,
    told: Mapping[Key, bytes] | None = None,
    hashes: Mapping[Key, str] | None = None,
    crowds: Iterable[Crowd] = (),
    items: Sequence[Unusual] = (),
) -> None:
    """Inside the caller's transaction; see `detector.people.watch.Changes`."""
    snapshots, told, hashes = snapshots or {}, told or {}, hashes or {}
    gone = list(gone)
    for table in ("crowd", "crowd_told", "crowd_standing"):
        db.executemany(f"DELETE FROM {table} WHERE org = ? AND people = ?", gone)
    db.executemany(
        "REPLACE INTO crowd VALUES (?, ?, ?, ?)", ((*key, hashes[key], state) for key, state in snapshots.items())
    )
    db.executemany("DELETE FROM crowd_told WHERE org = ? AND people = ?", snapshots)
    db.executemany("INSERT OR IGNORE INTO crowd VALUES (?, ?, ?, NULL)", ((*key, hashes[key]) for key in told))
    db.executemany(
        "INSERT INTO crowd_told (org, people, events) VALUES (?, ?, ?)",
        ((*key, events) for key, events in told.items()),
    )
    db.executemany(
        "REPLACE INTO crowd_standing VALUES (?, ?, ?, ?)",
        ((one.org, one.people, one.other, orjson.dumps(asdict(one)).decode()) for one in crowds),
    )
    db.executemany("REPLACE INTO unusual VALUES (?, ?, ?, ?, ?, ?, ?)", map(_row, items))
    if items:
        db.execute("DELETE FROM unusual WHERE at < ?", (max(one.at for one in items) - _KEPT_MS,))


def state(db: sqlite3.Connection) -> dict[Key, tuple[str, bytes | None, list[bytes]]]:
    """Of each crowd the hash of its definition, its snapshot, and what it was told after that."""
    found: dict[Key, tuple[str, bytes | None, list[bytes]]] = {}
    for org, people, hash_, saved in db.execute("SELECT org, people, hash, state FROM crowd"):
        found[org, people] = (hash_, saved, [])
    for org, people, events in db.execute("SELECT org, people, events FROM crowd_told ORDER BY n"):
        found[org, people][2].append(events)
    return found


def beyond(db: sqlite3.Connection) -> dict[str, int]:
    """Of each kind, how many events were of organisations that had no room."""
    return dict(db.execute("SELECT people, other FROM crowd_standing WHERE org = ''"))


class UnusualStore(Protocol):
    """What people are shown of entities. Raises `StoreUnavailable` and `Busy`."""

    def ranked(
        self, scope: Scope, since: int, until: int, *, org: str = "", cursor: str | None = None, limit: int = 50
    ) -> Page[Unusual]:
        """Those of [since, until) (ms), the highest score first. Raises `QueryError` for a cursor that is none."""
        ...

    def of_alert(self, scope: Scope, alert: str, *, limit: int = 20) -> list[Unusual]:
        """Those folded into an alert, newest first."""
        ...

    def one(self, scope: Scope, id_: str) -> Unusual:
        """Raises `NotFound`, also outside the scope."""
        ...

    def before(self, scope: Scope, one: Unusual, *, limit: int = 200) -> list[Unusual]:
        """Those of its organisation and kind that came before it, newest first."""
        ...

    def crowds(self, scope: Scope) -> list[Crowd]:
        """By organisation and kind. Of organisations that had no room only those who may see all are told."""
        ...


class SqliteUnusual(ReadOnly):
    """`UnusualStore` on what the observer has written."""

    def ranked(
        self, scope: Scope, since: int, until: int, *, org: str = "", cursor: str | None = None, limit: int = 50
    ) -> Page[Unusual]:
        where, values = within(scope)
        where, values = f"{where} AND at >= ? AND at < ?", [*values, since, until]
        if org:
            where, values = f"{where} AND org = ?", [*values, org]
        if cursor is not None:  # the score in millionths, and the id
            score, id_ = decode(cursor)
            where, values = f"{where} AND (-score, id) > (?, ?)", [*values, -score / _EXACT, id_]
        rows = self._rows(
            f"SELECT body, score, id FROM unusual WHERE {where} ORDER BY -score, id LIMIT ?", [*values, limit + 1]
        )
        more = encode(round(rows[limit - 1][1] * _EXACT), rows[limit - 1][2]) if len(rows) > limit else None
        return Page(tuple(_unusual(body) for body, *_ in rows[:limit]), more)

    def of_alert(self, scope: Scope, alert: str, *, limit: int = 20) -> list[Unusual]:
        where, values = within(scope)
        rows = self._rows(
            f"SELECT body FROM unusual WHERE {where} AND alert = ? ORDER BY at DESC LIMIT ?", [*values, alert, limit]
        )
        return [_unusual(body) for (body,) in rows]

    def one(self, scope: Scope, id_: str) -> Unusual:
        where, values = within(scope)
        rows = self._rows(f"SELECT body FROM unusual WHERE {where} AND id = ?", [*values, id_])
        if not rows:
            raise NotFound(f"there is no unusual entity {id_}")
        return _unusual(rows[0][0])

    def before(self, scope: Scope, one: Unusual, *, limit: int = 200) -> list[Unusual]:
        where, values = within(scope)
        rows = self._rows(
            f"SELECT body FROM unusual WHERE {where} AND org = ? AND people = ? AND at < ? ORDER BY at DESC, id LIMIT ?",
            [*values, one.org, one.people, one.at, limit],
        )
        return [_unusual(body) for (body,) in rows]

    def crowds(self, scope: Scope) -> list[Crowd]:
        where, values = within(scope)
        rows = self._rows(
            f"SELECT body FROM crowd_standing WHERE {where} ORDER BY org, people LIMIT ?", [*values, _SHOWN]
        )
        return [Crowd(**orjson.loads(body)) for (body,) in rows]


_EXACT = 1_000_000  # scores have four digits


def _row(one: Unusual) -> tuple[Any, ...]:
    return one.id, one.org, one.people, one.at, one.score, one.alert, orjson.dumps(asdict(one)).decode()


def _unusual(body: str) -> Unusual:
    fields = orjson.loads(body)
    return Unusual(
        **fields
        | {
            "reasons": tuple(Reason(**one) for one in fields["reasons"]),
            "week": tuple(fields.get("week", ())),
            "harmless": tuple(Covered(**one) for one in fields.get("harmless", ())),
        }
    )
