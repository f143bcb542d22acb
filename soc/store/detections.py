"""What the detector writes: findings, alert facts, rule texts, correlation state and its cursor, in one file.

One file, so that one transaction holds them all: commits across attached databases are not safe against a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from soc.buffer.database import Database
from soc.model.finding import Finding
from soc.model.rule import RuleDoc, RuleFault

SCHEMA = (
    """
    CREATE TABLE finding (
        alert_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        rule_hash TEXT NOT NULL,
        ts INTEGER NOT NULL,
        matched TEXT NOT NULL,
        PRIMARY KEY (alert_id, event_id)
    ) WITHOUT ROWID;
    CREATE TABLE alert (
        id TEXT PRIMARY KEY,
        rule_id TEXT NOT NULL,
        rule_hash TEXT NOT NULL,
        org TEXT NOT NULL,
        entity_field TEXT NOT NULL,
        entity TEXT NOT NULL,
        title TEXT NOT NULL,
        level TEXT NOT NULL,
        tags TEXT NOT NULL,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        count INTEGER NOT NULL,
        raised_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX alert_raised ON alert (raised_at, id);
    CREATE INDEX alert_rule ON alert (rule_id, org);
    CREATE TABLE rule (hash TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX state_expires ON state (expires);
    CREATE TABLE running (doc TEXT NOT NULL);
    CREATE TABLE fault (doc TEXT NOT NULL);
    CREATE TABLE cursor (partition TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
    """,
)


def detections_file(data_dir: Path) -> Path:
    return data_dir / "detector.db"


class SqliteDetections:
    """`Detections` on SQLite."""

    def __init__(self, data_dir: Path) -> None:
        self._db = Database(detections_file(data_dir), SCHEMA)

    def cursor(self) -> Mapping[str, int]:
        with self._db.read() as db:
            return dict(db.execute("SELECT partition, position FROM cursor"))

    def state_get(self, key: str) -> bytes | None:
        with self._db.read() as db:
            row = db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def commit(
        self,
        findings: Sequence[Finding],
        rules: Mapping[str, RuleDoc],
        state: Mapping[str, tuple[bytes, int]],
        cursor: Mapping[str, int],
        watermark: int | None,
        now: int,
    ) -> list[str]:
        with self._db.write() as db:
            new = _fold(db, findings, rules, now)
            db.executemany("REPLACE INTO state VALUES (?, ?, ?)", ((k, v, e) for k, (v, e) in state.items()))
            if watermark is not None:
                db.execute("DELETE FROM state WHERE expires < ?", (watermark,))
            db.execute("DELETE FROM cursor")
            db.executemany("INSERT INTO cursor VALUES (?, ?)", cursor.items())
        return new

    def publish(self, rules: Sequence[RuleDoc], faults: Sequence[RuleFault]) -> None:
        with self._db.write() as db:
            for table, items in (("running", rules), ("fault", faults)):
                db.execute(f"DELETE FROM {table}")
                db.executemany(f"INSERT INTO {table} VALUES (?)", [(_json(item),) for item in items])

    def close(self) -> None:
        self._db.close()


def _fold(db: sqlite3.Connection, findings: Sequence[Finding], rules: Mapping[str, RuleDoc], now: int) -> list[str]:
    db.executemany(
        "INSERT OR IGNORE INTO finding VALUES (?, ?, ?, ?, ?)",
        ((f.alert_id, f.event_id, f.rule_hash, f.ts, orjson.dumps(f.matched).decode()) for f in findings),
    )
    db.executemany("INSERT OR IGNORE INTO rule VALUES (?, ?)", ((h, _json(r)) for h, r in rules.items()))
    new = []
    for alert_id, finding in {f.alert_id: f for f in reversed(findings)}.items():
        rule = rules[finding.rule_hash]
        # The counter is derived from the set of findings, so that whatever is repeated counts once.
        first, last, count = db.execute(
            "SELECT min(ts), max(ts), count(*) FROM finding WHERE alert_id = ?", (alert_id,)
        ).fetchone()
        updated = db.execute(
            "UPDATE alert SET first_seen = ?, last_seen = ?, count = ? WHERE id = ?", (first, last, count, alert_id)
        )
        if updated.rowcount:
            continue
        new.append(alert_id)
        db.execute(
            "INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (alert_id, finding.rule_id, finding.rule_hash, finding.org, finding.entity_field, finding.entity, rule.title,
             rule.level, orjson.dumps(rule.tags).decode(), first, last, count, now),
        )  # fmt: skip
    return new


def _json(item: RuleDoc | RuleFault) -> str:
    return orjson.dumps(asdict(item)).decode()


def rule_doc(text: str) -> RuleDoc:
    doc = orjson.loads(text)
    return RuleDoc(**doc | {"tags": tuple(doc["tags"]), "falsepositives": tuple(doc["falsepositives"])})
