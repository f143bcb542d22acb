"""`anomaly.db`: series, their judged buckets, what was unusual, and the observer's cursor and state. The observer alone writes it.

One transaction a commit holds all of it, so that a kill anywhere leaves a whole. Rows are one a board and bucket, and in the order in
which they come, so that fifty thousand series a minute are a few dozen pages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from soc.buffer.database import Database
from soc.errors import NotFound, QueryError
from soc.model.anomaly import RECORD_BYTES, Anomaly, Board, Counts, Progress, Reading, Series, unpack
from soc.model.calendar import DAY_MS
from soc.model.org import Scope
from soc.model.rule import RuleFault
from soc.store import levels, progress, unusual
from soc.store.observed import within

SCHEMA = (
    """
    CREATE TABLE cursor (partition TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE lane (org TEXT NOT NULL, dataset TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (org, dataset)) WITHOUT ROWID;
    CREATE TABLE board (
        definition TEXT NOT NULL,
        org TEXT NOT NULL,
        series INTEGER NOT NULL,
        beyond INTEGER NOT NULL,
        lost INTEGER NOT NULL,
        PRIMARY KEY (definition, org)
    ) WITHOUT ROWID;
    CREATE TABLE series (
        id TEXT PRIMARY KEY,
        definition TEXT NOT NULL,
        org TEXT NOT NULL,
        key TEXT NOT NULL,
        slot INTEGER NOT NULL,
        born INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX series_of_board ON series (definition, org, key);
    CREATE TABLE snapshot (series TEXT NOT NULL, ts INTEGER NOT NULL, state BLOB NOT NULL, PRIMARY KEY (series, ts));
    CREATE TABLE bucket (definition TEXT NOT NULL, org TEXT NOT NULL, ts INTEGER NOT NULL, readings BLOB NOT NULL,
        PRIMARY KEY (definition, org, ts));
    CREATE INDEX bucket_ts ON bucket (ts);
    CREATE TABLE anomaly (
        id TEXT PRIMARY KEY,
        series TEXT NOT NULL,
        definition TEXT NOT NULL,
        org TEXT NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER NOT NULL,
        at INTEGER NOT NULL,
        actual REAL NOT NULL,
        expected REAL NOT NULL,
        lower REAL NOT NULL,
        upper REAL NOT NULL,
        strength REAL NOT NULL,
        buckets INTEGER NOT NULL,
        alert TEXT NOT NULL,
        parts TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX anomaly_since ON anomaly (since, id, org);
    CREATE INDEX anomaly_of_series ON anomaly (series, since);
    CREATE INDEX anomaly_of_alert ON anomaly (alert, since);
    CREATE TABLE running (definition TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE fault (doc TEXT NOT NULL);
    """,
    levels.SCHEMA,
    unusual.SCHEMA,
    "DELETE FROM bucket;",  # their records had no place for surges and what is harmless; snapshots go on
    unusual.SCHEMA_OF_A_KIND,
    """
    CREATE TABLE counted (definition TEXT NOT NULL, org TEXT NOT NULL, ts INTEGER NOT NULL, cells BLOB NOT NULL,
        PRIMARY KEY (definition, org, ts));
    """,
)
KEPT_MS = 8 * DAY_MS  # rows: what pages draw, and what a track is made of again
_ANOMALIES_KEPT_MS = 365 * DAY_MS
_PARTS_AT_ONCE = 500
_ROWS_AT_ONCE = 100
_STILL_WRITES_S = 3600.0
_FACTS = tuple(field.name for field in fields(Anomaly))
_ANOMALY = f"SELECT {', '.join(_FACTS)} FROM anomaly"
_SERIES = "SELECT definition, org, key, slot, born FROM series"


def anomalies_file(data_dir: Path) -> Path:
    return data_dir / "anomaly.db"


def read_by_observer(data_dir: Path, now_s: float) -> Mapping[str, int] | None:
    """How far an observer has read that still writes. None where there is none: one that is switched off holds up nothing."""
    file = anomalies_file(data_dir)
    written = [one.stat().st_mtime for one in (file, file.with_name(f"{file.name}-wal")) if one.exists()]
    if not written or now_s - max(written) > _STILL_WRITES_S:
        return None
    kept = SqliteAnomalies(data_dir)
    try:
        return kept.cursor()
    finally:
        kept.close()


@dataclass(frozen=True, slots=True)
class Known:
    """A series, and how it was judged last; None where nothing is kept of it."""

    series: Series
    last: Reading | None


class SqliteAnomalies:
    """Read by anybody; `commit`, `publish` and `forget` are the observer's."""

    def __init__(self, data_dir: Path) -> None:
        self._file = anomalies_file(data_dir)
        self._resets = (
            data_dir / "anomalies" / "reset"
        )  # an empty file, named as a series, for each that is to learn anew
        self._db = Database(self._file, SCHEMA)

    def close(self) -> None:
        self._db.close()

    # --- the observer's

    def cursor(self) -> Mapping[str, int]:
        with self._db.read() as db:
            return dict(db.execute("SELECT partition, position FROM cursor"))

    def lanes(self) -> Mapping[tuple[str, str], bytes]:
        with self._db.read() as db:
            return {(org, dataset): state for org, dataset, state in db.execute("SELECT * FROM lane")}

    def levels(self) -> Mapping[str, bytes]:
        """What service levels go on with."""
        with self._db.read() as db:
            return levels.state(db)

    def crowds(self) -> Mapping[tuple[str, str], tuple[str, bytes | None, Sequence[bytes]]]:
        """What crowds of entities go on with, see `unusual.state`."""
        with self._db.read() as db:
            return unusual.state(db)

    def crowds_beyond(self) -> Mapping[str, int]:
        with self._db.read() as db:
            return unusual.beyond(db)

    def begun(self, board: Board) -> Set[str]:
        with self._db.read() as db:
            return {id_ for (id_,) in db.execute("SELECT id FROM series WHERE definition = ? AND org = ?", board)}

    def snapshots(self, board: Board) -> Mapping[str, tuple[int, bytes]]:
        with self._db.read() as db:
            rows = db.execute(
                "SELECT s.series, s.ts, s.state FROM series JOIN snapshot s ON s.series = series.id "
                "WHERE definition = ? AND org = ? ORDER BY s.ts",
                board,
            )
            return {series: (ts, state) for series, ts, state in rows}

    def snapshot(self, series: str, before: int) -> tuple[int, bytes] | None:
        row = self._db.row(
            "SELECT ts, state FROM snapshot WHERE series = ? AND ts < ? ORDER BY ts DESC LIMIT 1", series, before
        )
        return (row[0], row[1]) if row else None

    def rows(self, board: Board, since: int) -> Iterator[tuple[int, bytes]]:
        """A part at a time: those of a large board are gigabytes together."""
        while True:
            with self._db.read() as db:
                part = db.execute(
                    "SELECT ts, readings FROM bucket WHERE definition = ? AND org = ? AND ts > ? ORDER BY ts LIMIT ?",
                    (*board, since, _ROWS_AT_ONCE),
                ).fetchall()
            yield from part
            if len(part) < _ROWS_AT_ONCE:
                return
            since = part[-1][0]

    def counted(self, board: Board, start: int) -> bytes | None:
        row = self._db.row("SELECT cells FROM counted WHERE definition = ? AND org = ? AND ts = ?", *board, start)
        return row[0] if row else None

    def boards(self) -> list[Board]:
        with self._db.read() as db:
            return [Board(*row) for row in db.execute("SELECT definition, org FROM board")]

    def commit(self, done: Progress, beside: Callable[[sqlite3.Connection], None] = lambda _: None) -> None:
        """`beside` writes what belongs to the same moment, in the same transaction."""
        with self._db.write() as db:
            beside(db)
            progress.write(db, done)

    def tidy(self, newest: int, closed_to: Mapping[Board, int]) -> None:
        """Delete what is older than is kept, a part at a time: anomalies counted from this time (ms) of events, buckets from the last
        one of their own board. One organisation may be read weeks behind the others, when its old logs are taken in."""
        with self._db.write() as db:
            db.executemany(
                "DELETE FROM bucket WHERE rowid IN"
                " (SELECT rowid FROM bucket WHERE definition = ? AND org = ? AND ts < ? LIMIT ?)",
                ((*board, ts - KEPT_MS, _PARTS_AT_ONCE) for board, ts in closed_to.items()),
            )
            db.execute("DELETE FROM anomaly WHERE since < ?", (newest - _ANOMALIES_KEPT_MS,))

    def forget(self, board: Board) -> None:
        """Its definition is gone, or means something else now."""
        with self._db.write() as db:
            db.execute(
                "DELETE FROM snapshot WHERE series IN (SELECT id FROM series WHERE definition = ? AND org = ?)", board
            )
            for table in ("series", "bucket", "counted", "board"):
                db.execute(f"DELETE FROM {table} WHERE definition = ? AND org = ?", board)

    def forget_lane(self, org: str, dataset: str) -> None:
        """No definition looks at this dataset any more."""
        with self._db.write() as db:
            db.execute("DELETE FROM lane WHERE org = ? AND dataset = ?", (org, dataset))

    def publish(self, running: Mapping[str, Mapping[str, Any]], faults: Sequence[RuleFault]) -> None:
        """The definitions that run, by name, and what cannot run."""
        with self._db.write() as db:
            db.execute("DELETE FROM running")
            db.executemany(
                "INSERT INTO running VALUES (?, ?)",
                ((name, orjson.dumps(doc).decode()) for name, doc in running.items()),
            )
            db.execute("DELETE FROM fault")
            db.executemany("INSERT INTO fault VALUES (?)", ((orjson.dumps(one).decode(),) for one in faults))

    def asked(self) -> list[str]:
        """The series that are to learn anew, until it is said that they do."""
        return sorted(file.name for file in self._resets.glob("*")) if self._resets.is_dir() else []

    def reset_done(self, series: Iterable[str]) -> None:
        """They learn anew, and that is committed."""
        for one in series:
            (self._resets / one).unlink(missing_ok=True)

    # --- everybody's

    def reset(self, series_id: str, scope: Scope) -> None:
        """Have a series learn anew: the observer does it within a second, or when it is started. Raises `NotFound`."""
        self.one(series_id, scope)
        self._resets.mkdir(parents=True, exist_ok=True)
        (self._resets / series_id).touch()

    @property
    def there(self) -> bool:
        """Whether an observer has ever run on this data directory."""
        return self._file.exists()

    def running(self) -> tuple[dict[str, dict[str, Any]], list[RuleFault]]:
        if not self.there:
            return {}, []
        with self._db.read() as db:
            docs = {name: orjson.loads(doc) for name, doc in db.execute("SELECT definition, doc FROM running")}
            return docs, [RuleFault(**orjson.loads(doc)) for (doc,) in db.execute("SELECT doc FROM fault")]

    def counts(self, scope: Scope) -> dict[Board, Counts]:
        if not self.there:
            return {}
        where, values = within(scope)
        with self._db.read() as db:
            rows = db.execute(f"SELECT definition, org, series, beyond, lost FROM board WHERE {where}", values)
            return {Board(definition, org): Counts(*counted) for definition, org, *counted in rows}

    def series(self, scope: Scope, *, definition: str = "", after: str = "", limit: int = 50) -> list[Known]:
        """By definition, organisation and key; `after`: the id of the last one of the page before. Raises `QueryError` where that has
        vanished."""
        if not self.there:
            return []
        where, values = within(scope)
        if definition:
            where, values = f"{where} AND definition = ?", [*values, definition]
        with self._db.read() as db:
            if after:
                place = _place(db, "definition, org, key FROM series", after, scope)
                if place is None:
                    raise QueryError(f"there is no series {after} any more: begin with the first page")
                where, values = f"{where} AND (definition, org, key) > (?, ?, ?)", [*values, *place]
            rows = db.execute(f"{_SERIES} WHERE {where} ORDER BY definition, org, key LIMIT ?", [*values, limit])
            found = [_series_of(row) for row in rows]
            return [Known(one, _last(db, one)) for one in found]

    def how_many_series(self, scope: Scope, *, definition: str = "") -> int:
        """All that `series` would give."""
        where, values = within(scope)
        if definition:
            where, values = f"{where} AND definition = ?", [*values, definition]
        row = self._db.row(f"SELECT count(*) FROM series WHERE {where}", *values) if self.there else None
        return int(row[0]) if row else 0

    def named(self, names: Collection[str]) -> set[tuple[Board, str]]:
        """Which of these names are in the keys of series, and of which."""
        if not self.there or not names:
            return set()
        with self._db.read() as db:
            rows = db.execute(
                "SELECT DISTINCT definition, org, value FROM series, json_each(series.key)"
                " WHERE value IN (SELECT value FROM json_each(?))",
                (orjson.dumps(sorted(names)).decode(),),
            )
            return {(Board(definition, org), name) for definition, org, name in rows}

    def one(self, series_id: str, scope: Scope) -> Known:
        """Raises `NotFound`, also outside the scope."""
        if self.there:
            with self._db.read() as db:
                row = db.execute(f"{_SERIES} WHERE id = ?", (series_id,)).fetchone()
                if row is not None and scope.allows(row[1]):
                    series = _series_of(row)
                    return Known(series, _last(db, series))
        raise NotFound(f"there is no series {series_id}")

    def readings(self, series: Series, since: int, until: int) -> list[Reading]:
        """Those of [since, until) (ms), oldest first."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT ts, substr(readings, ?, ?) FROM bucket WHERE definition = ? AND org = ? AND ts >= ? AND ts < ? ORDER BY ts",
                (series.slot * RECORD_BYTES + 1, RECORD_BYTES, *series.board, max(since, series.born), until),
            )
            return [one for ts, data in rows if len(data) == RECORD_BYTES and (one := unpack(ts, data)) is not None]

    def since_snapshot(self, series: Series, until: int) -> tuple[tuple[int, bytes] | None, list[Reading]]:
        """What makes a series again as it was before this time (ms): its newest snapshot of before, and the readings since."""
        snapshot = self.snapshot(series.id, until)
        return snapshot, self.readings(series, snapshot[0] + 1 if snapshot else series.born, until)

    def list(
        self,
        scope: Scope,
        *,
        series: str = "",
        alert: str = "",
        definition: str = "",
        org: str = "",
        since: int | None = None,
        until: int | None = None,
        before: str = "",
        limit: int = 50,
    ) -> list[Anomaly]:
        """Newest first; `since`, `until` (ms): what has some of this time; `before`: the id of the last one of the page before. Raises
        `QueryError` where that is kept no more."""
        if not self.there:
            return []
        where, values = within(scope)
        asked = (("series", series), ("alert", alert), ("definition", definition), ("org", org))
        for column, value in asked:
            if value:
                where, values = f"{where} AND {column} = ?", [*values, value]
        if since is not None:
            where, values = f"{where} AND until >= ?", [*values, since]
        if until is not None:
            where, values = f"{where} AND since < ?", [*values, until]
        with self._db.read() as db:
            if before:
                place = _place(db, "since, id FROM anomaly", before, scope)
                if place is None:
                    raise QueryError(f"there is no anomaly {before} any more: begin with the first page")
                where, values = f"{where} AND (since, id) < (?, ?)", [*values, *place]
            rows = db.execute(f"{_ANOMALY} WHERE {where} ORDER BY since DESC, id DESC LIMIT ?", [*values, limit])
            return [_anomaly_of(row) for row in rows]

    def how_many(self, scope: Scope, *, alert: str = "") -> int:
        """All anomalies that `list` would give."""
        where, values = within(scope)
        if alert:
            where, values = f"{where} AND alert = ?", [*values, alert]
        row = self._db.row(f"SELECT count(*) FROM anomaly WHERE {where}", *values) if self.there else None
        return int(row[0]) if row else 0

    def begins(self, scope: Scope) -> Sequence[int]:
        """When each alert that there was began (ms), the first ones first."""
        where, values = within(scope)
        if not self.there:
            return []
        with self._db.read() as db:
            rows = db.execute(f"SELECT min(since) FROM anomaly WHERE {where} GROUP BY alert ORDER BY 1", values)
            return [at for (at,) in rows]

    def anomaly(self, anomaly_id: str, scope: Scope) -> Anomaly:
        """Raises `NotFound`, also outside the scope."""
        if self.there:
            row = self._db.row(f"{_ANOMALY} WHERE id = ?", anomaly_id)
            if row is not None and scope.allows(row[2]):
                return _anomaly_of(row)
        raise NotFound(f"there is no anomaly {anomaly_id}")


def _place(db: sqlite3.Connection, what: str, id_: str, scope: Scope) -> Sequence[Any] | None:
    """Where a page goes on; None: that is gone, or is of others. `what`: columns and their table."""
    where, values = within(scope)
    row: Sequence[Any] | None = db.execute(f"SELECT {what} WHERE id = ? AND {where}", [id_, *values]).fetchone()
    return row


def _last(db: sqlite3.Connection, series: Series) -> Reading | None:
    row = db.execute(
        "SELECT ts, substr(readings, ?, ?) FROM bucket WHERE definition = ? AND org = ? ORDER BY ts DESC LIMIT 1",
        (series.slot * RECORD_BYTES + 1, RECORD_BYTES, *series.board),
    ).fetchone()
    return unpack(*row) if row is not None and len(row[1]) == RECORD_BYTES else None


def _series_of(row: Sequence[Any]) -> Series:
    definition, org, key, slot, born = row
    return Series(Board(definition, org), tuple(orjson.loads(key)), slot, born)


def _anomaly_of(row: Sequence[Any]) -> Anomaly:
    facts: dict[str, Any] = dict(zip(_FACTS, row, strict=True))
    return Anomaly(**facts | {"parts": orjson.loads(facts["parts"])})
