"""The ledger in `detector.db`: added to in the transaction of the cursor, so that each batch counts once."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import astuple

import orjson

from soc.buffer.database import Database
from soc.model.calendar import DAY_MS, HOUR_MS
from soc.model.ledger import DEEDS, MINUTE_MS, MINUTES_KEPT_DAYS, NOBODY, Deeds, Entries, Line, Total, hours
from soc.model.org import Scope
from soc.store.base import KEPT_DAYS

# `unsent`: where the store is a server, what it has not been told yet.
SCHEMA = f"""
    CREATE TABLE deed (
        span INTEGER NOT NULL,
        rule_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        org TEXT NOT NULL,
        {", ".join(f"{name} INTEGER NOT NULL" for name in DEEDS)},
        unsent INTEGER NOT NULL,
        PRIMARY KEY (span, rule_id, at, org)
    ) WITHOUT ROWID;
    CREATE INDEX deed_unsent ON deed (at) WHERE unsent;
    CREATE TABLE seen (
        at INTEGER NOT NULL,
        audience TEXT NOT NULL,
        org TEXT NOT NULL,
        events INTEGER NOT NULL,
        unsent INTEGER NOT NULL,
        PRIMARY KEY (at, audience, org)
    ) WITHOUT ROWID;
    CREATE INDEX seen_unsent ON seen (at) WHERE unsent;
    CREATE TABLE audience (name TEXT PRIMARY KEY, rules BLOB NOT NULL, unsent INTEGER NOT NULL) WITHOUT ROWID;
    """
_SUMS = ", ".join(f"sum({name})" for name in DEEDS)
_DEED = (
    f"INSERT INTO deed VALUES (?, ?, ?, ?, {', '.join('?' * len(DEEDS))}, ?) ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in DEEDS)
    + ", unsent = excluded.unsent"
)
_SEEN = (
    "INSERT INTO seen VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET events = events + excluded.events, unsent = excluded.unsent"
)


def add(db: sqlite3.Connection, entries: Entries, now: int, *, unsent: bool) -> None:
    """Inside the transaction of a commit."""
    rows = [
        (span, rule, now - now % span, org, *astuple(deeds), unsent)
        for (rule, org), deeds in entries.deeds.items()
        for span in (MINUTE_MS, HOUR_MS)
    ]
    db.executemany(_DEED, rows)
    hour = now - now % HOUR_MS
    db.executemany(_SEEN, [(hour, name, org, events, unsent) for (name, org), events in entries.seen.items()])
    for name, rules in entries.audiences.items():
        if db.execute("SELECT 1 FROM audience WHERE name = ?", (name,)).fetchone() is None:
            db.execute("INSERT INTO audience VALUES (?, ?, ?)", (name, packed(rules), unsent))


def oldest(span: int, now: int) -> int:
    """The first time of which lines of that span are kept."""
    return now - (MINUTES_KEPT_DAYS if span == MINUTE_MS else KEPT_DAYS) * DAY_MS


def tidy(db: sqlite3.Connection, now: int) -> None:
    """Forget what is too old; once a day is enough."""
    for span in (MINUTE_MS, HOUR_MS):
        db.execute("DELETE FROM deed WHERE span = ? AND at < ?", (span, oldest(span, now)))
    db.execute("DELETE FROM seen WHERE at < ?", (oldest(HOUR_MS, now),))
    db.execute("DELETE FROM audience WHERE name NOT IN (SELECT DISTINCT audience FROM seen)")


def packed(rules: tuple[str, ...]) -> bytes:
    return zlib.compress(orjson.dumps(rules))


def unpacked(blob: bytes) -> list[str]:
    rules: list[str] = orjson.loads(zlib.decompress(blob))
    return rules


class SqliteLedger:
    """`LedgerStore` on SQLite."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def minutes(self, rule_id: str, scope: Scope, *, since: int, until: int) -> list[Line]:
        with self._db.read() as db:
            return _lines(db, MINUTE_MS, rule_id, scope, since, until)

    def hours(self, rule_id: str, scope: Scope, *, since: int, until: int) -> list[Line]:
        inside, values = _inside(scope)
        with self._db.read() as db:
            mine = [name for name, rules in _audiences(db).items() if rule_id in rules]
            seen = db.execute(
                f"SELECT at, sum(events) FROM seen WHERE at >= ? AND at < ? AND {inside} "
                f"AND audience IN ({','.join('?' * len(mine))}) GROUP BY at",
                (since, until, *values, *mine),
            ).fetchall()
            return hours(_lines(db, HOUR_MS, rule_id, scope, since, until), dict(seen))

    def unread(self, scope: Scope, *, since: int) -> int:
        inside, values = _inside(scope)
        sql = f"SELECT coalesce(sum(events), 0) FROM seen WHERE at >= ? AND {inside} AND audience = ?"
        row = self._db.row(sql, since, *values, NOBODY)
        return int(row[0]) if row else 0

    def totals(self, scope: Scope, *, since: int) -> Mapping[str, Total]:
        inside, values = _inside(scope)
        with self._db.read() as db:
            deeds = db.execute(
                f"SELECT rule_id, max(CASE WHEN matched THEN at END), {_SUMS} FROM deed "
                f"WHERE span = ? AND at >= ? AND {inside} GROUP BY rule_id",
                (HOUR_MS, since, *values),
            )
            found = {rule: Total(Deeds(*sums), 0, last) for rule, last, *sums in deeds}
            seen = db.execute(
                f"SELECT audience, sum(events), max(at) FROM seen WHERE at >= ? AND {inside} GROUP BY audience",
                (since, *values),
            ).fetchall()
            put_before(found, seen, _audiences(db))
        return found


def put_before(
    found: dict[str, Total], seen: list[tuple[str, int, int]], audiences: Mapping[str, frozenset[str]]
) -> None:
    """Tell each rule what its audiences saw. `seen`: (audience, events, last hour)."""
    for name, events, last in seen:
        for rule in audiences.get(name, ()):
            total = found.setdefault(rule, Total())
            total.seen += events
            total.last_run = max(total.last_run or 0, last)


def _audiences(db: sqlite3.Connection) -> dict[str, frozenset[str]]:
    return {name: frozenset(unpacked(rules)) for name, rules in db.execute("SELECT name, rules FROM audience")}


def _lines(db: sqlite3.Connection, span: int, rule_id: str, scope: Scope, since: int, until: int) -> list[Line]:
    inside, values = _inside(scope)
    rows = db.execute(
        f"SELECT at, {_SUMS} FROM deed WHERE span = ? AND rule_id = ? AND at >= ? AND at < ? AND {inside} "
        "GROUP BY at ORDER BY at",
        (span, rule_id, since, until, *values),
    )
    return [Line(at, span, Deeds(*sums)) for at, *sums in rows]


def _inside(scope: Scope) -> tuple[str, list[str]]:
    """What belongs to no organisation is for those who may see all of them."""
    if scope.orgs is None:
        return "1", []
    return f"org IN ({','.join('?' * len(scope.orgs))})", sorted(scope.orgs)
