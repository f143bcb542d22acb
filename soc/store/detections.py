"""What the detector writes: findings, alert facts, rule texts, correlation state and its cursor, in one file.

One file, so that one transaction holds them all: commits across attached databases are not safe against a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import orjson

from soc.buffer.database import Database
from soc.model.asked import Asked
from soc.model.calendar import DAY_MS, day_of
from soc.model.canary import Canary, Life
from soc.model.finding import Finding
from soc.model.ledger import Entries
from soc.model.rule import FilterDoc, LogSource, RuleCost, RuleDoc, RuleFault, RulesInForce
from soc.model.tuning import Hidden
from soc.store import ledger as ledger_table
from soc.store.base import KEPT_DAYS, NO_ENTRIES

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
    # Used where findings and alerts are on a server: alerts whose facts may be behind their findings.
    """
    CREATE TABLE pending (alert_id TEXT PRIMARY KEY, seed TEXT NOT NULL, fresh INTEGER NOT NULL) WITHOUT ROWID;
    """,
    # Tuning. `unsent`: where alerts are on a server, what it has not been told yet.
    """
    ALTER TABLE alert ADD COLUMN stage TEXT NOT NULL DEFAULT 'live';
    CREATE INDEX alert_of_rule ON alert (rule_id, id);
    CREATE TABLE hidden (
        rule_id TEXT NOT NULL,
        exception_id TEXT NOT NULL,
        org TEXT NOT NULL,
        day TEXT NOT NULL,
        events INTEGER NOT NULL,
        unsent INTEGER NOT NULL,
        PRIMARY KEY (rule_id, exception_id, org, day)
    ) WITHOUT ROWID;
    """,
    # What would take seconds at a million alerts: how many there are, also of all organisations together (``), and those of one
    # organisation or entity.
    """
    CREATE TABLE raised (
        org TEXT NOT NULL,
        rule_id TEXT NOT NULL,
        stage TEXT NOT NULL,
        alerts INTEGER NOT NULL,
        PRIMARY KEY (org, rule_id, stage)
    ) WITHOUT ROWID;
    INSERT INTO raised SELECT org, rule_id, stage, count(*) FROM alert GROUP BY 1, 2, 3;
    INSERT INTO raised SELECT '', rule_id, stage, count(*) FROM alert GROUP BY 2, 3;
    CREATE TRIGGER alert_counted AFTER INSERT ON alert BEGIN
        INSERT INTO raised VALUES (NEW.org, NEW.rule_id, NEW.stage, 1), ('', NEW.rule_id, NEW.stage, 1)
        ON CONFLICT DO UPDATE SET alerts = alerts + 1; END;
    DROP INDEX alert_raised;
    DROP INDEX alert_rule;
    CREATE INDEX alert_of_time ON alert (raised_at, id, stage, level, org, rule_id, last_seen);
    CREATE INDEX alert_of_org ON alert (org, raised_at, id, stage, level, rule_id, last_seen);
    CREATE INDEX alert_of_rule_time ON alert (rule_id, raised_at, id);
    CREATE INDEX alert_of_entity ON alert (entity, raised_at, id);
    """,
    "CREATE TABLE in_force (doc TEXT NOT NULL);",
    ledger_table.SCHEMA,
    "CREATE TABLE canary (doc TEXT NOT NULL);",
    "CREATE TABLE cost (rule_id TEXT PRIMARY KEY, samples INTEGER NOT NULL, seconds REAL NOT NULL) WITHOUT ROWID;",
)


def detections_file(data_dir: Path) -> Path:
    return data_dir / "detector.db"


class SqliteDetections:
    """`Detections` on SQLite."""

    def __init__(self, data_dir: Path) -> None:
        self._db = Database(detections_file(data_dir), SCHEMA)
        self._daily = Daily()
        self._published: list[RuleDoc] | None = None

    def cursor(self) -> Mapping[str, int]:
        with self._db.read() as db:
            return dict(db.execute("SELECT partition, position FROM cursor"))

    def state_get(self, key: str) -> bytes | None:
        row = self._db.row("SELECT value FROM state WHERE key = ?", key)
        return row[0] if row else None

    def commit(
        self,
        findings: Sequence[Finding],
        rules: Mapping[str, RuleDoc],
        state: Mapping[str, tuple[bytes, int]],
        cursor: Mapping[str, int],
        watermark: int | None,
        now: int,
        hidden: Sequence[Hidden] = (),
        ledger: Entries = NO_ENTRIES,
    ) -> list[str]:
        with self._db.write() as db:
            new = _fold(db, findings, rules, now)
            move_on(db, state, cursor, watermark, hidden)
            ledger_table.add(db, ledger, now, unsent=False)
            if self._daily.due(now):
                db.execute("DELETE FROM hidden WHERE day < ?", (oldest_day(now),))
                ledger_table.tidy(db, now)
        self._daily.done(now)
        return new

    def found(self) -> Mapping[str, int]:
        """Rule id -> events folded into its alerts."""
        with self._db.read() as db:
            return dict(db.execute("SELECT rule_id, sum(count) FROM alert GROUP BY rule_id"))

    def publish(
        self, rules: Sequence[RuleDoc], faults: Sequence[RuleFault], in_force: RulesInForce | None = None
    ) -> None:
        tables: dict[str, Sequence[RuleDoc | RuleFault | RulesInForce]] = {"fault": faults}
        if list(rules) != self._published:  # thousands of texts: only when they are others
            tables["running"] = rules
        if in_force is not None:
            tables["in_force"] = [in_force]
        with self._db.write() as db:
            for table, items in tables.items():
                db.execute(f"DELETE FROM {table}")
                db.executemany(f"INSERT INTO {table} VALUES (?)", [(_json(item),) for item in items])
        self._published = list(rules)

    def publish_costs(self, costs: Sequence[RuleCost]) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM cost")
            db.executemany("INSERT INTO cost VALUES (?, ?, ?)", map(astuple, costs))

    def publish_canaries(self, canaries: Sequence[Canary]) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM canary")
            db.executemany("INSERT INTO canary VALUES (?)", [(orjson.dumps(one).decode(),) for one in canaries])

    def close(self) -> None:
        self._db.close()


class Daily:
    """What is to be done at the first commit, and a day after it was done again."""

    def __init__(self) -> None:
        self._done_at: int | None = None

    def due(self, now: int) -> bool:
        return self._done_at is None or now - self._done_at >= DAY_MS

    def done(self, now: int) -> None:
        if self.due(now):
            self._done_at = now


def oldest_day(now: int) -> str:
    """The first day whose counts are kept; a day more than by the zone of the place."""
    return day_of(now - (KEPT_DAYS + 1) * DAY_MS).isoformat()


def move_on(
    db: sqlite3.Connection,
    state: Mapping[str, tuple[bytes, int]],
    cursor: Mapping[str, int],
    watermark: int | None,
    hidden: Sequence[Hidden],
) -> None:
    """The part of a commit that is always on this machine: correlation state, the cursor, and the count of what was hidden before it."""
    db.executemany("REPLACE INTO state VALUES (?, ?, ?)", ((k, v, e) for k, (v, e) in state.items()))
    if watermark is not None:
        db.execute("DELETE FROM state WHERE expires < ?", (watermark,))
    db.execute("DELETE FROM cursor")
    db.executemany("INSERT INTO cursor VALUES (?, ?)", cursor.items())
    db.executemany(
        "INSERT INTO hidden VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET events = events + excluded.events, unsent = 1",
        map(astuple, hidden),
    )


def _fold(db: sqlite3.Connection, findings: Sequence[Finding], rules: Mapping[str, RuleDoc], now: int) -> list[str]:
    """Add the findings to their alerts; returns the ids of those that are new.

    A counter grows by the findings that really were new, in the same transaction: it is the size of the set, whatever is repeated.
    """
    db.executemany("INSERT OR IGNORE INTO rule VALUES (?, ?)", ((h, _json(r)) for h, r in rules.items()))
    by_alert: dict[str, list[Finding]] = {}
    for finding in findings:
        by_alert.setdefault(finding.alert_id, []).append(finding)
    new = []
    for alert_id, folded in by_alert.items():
        added = db.executemany(
            "INSERT OR IGNORE INTO finding VALUES (?, ?, ?, ?, ?)",
            ((f.alert_id, f.event_id, f.rule_hash, f.ts, orjson.dumps(f.matched).decode()) for f in folded),
        ).rowcount
        first, last = min(f.ts for f in folded), max(f.ts for f in folded)
        known = db.execute(
            "UPDATE alert SET first_seen = min(first_seen, ?), last_seen = max(last_seen, ?), count = count + ? WHERE id = ?",
            (first, last, added, alert_id),
        ).rowcount
        if not known:
            new.append(alert_id)
            _raise(db, folded[0], rules[folded[0].rule_hash], first, last, added, now)
    return new


def _raise(
    db: sqlite3.Connection, finding: Finding, rule: RuleDoc, first: int, last: int, count: int, now: int
) -> None:
    facts = (finding.alert_id, finding.rule_id, finding.rule_hash, finding.org, finding.entity_field, finding.entity)
    tags = orjson.dumps(rule.tags).decode()
    db.execute(
        "INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*facts, rule.title, finding.level or rule.level, tags, first, last, count, now, finding.stage),
    )


def _json(item: RuleDoc | RuleFault | RulesInForce) -> str:
    return orjson.dumps(item).decode()


def canary_of(doc: Mapping[str, Any]) -> Canary:
    return Canary(**{**doc, "life": Life(doc["life"])})


def rule_doc(text: str) -> RuleDoc:
    doc = orjson.loads(text)
    lists = {name: tuple(value) for name, value in doc.items() if isinstance(value, list)}
    # A text that was kept by an older govsoc has no log sources, and says nothing of what can be set otherwise.
    nested = {
        "logsources": tuple(LogSource(**one) for one in doc.get("logsources", ())),
        "filters": tuple(FilterDoc(**one) for one in doc.get("filters", ())),
    }
    asked = doc.get("asked")
    return RuleDoc(**doc | lists | nested | {"asked": Asked(**asked) if asked else None})
