"""How a commit of the observer is written into `anomaly.db`: all that changed, in the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import orjson

from soc.model.anomaly import Anomaly, Progress

_SNAPSHOTS_MS = 3 * 3_600_000  # how far back a late event may lead


def write(db: sqlite3.Connection, done: Progress) -> None:
    db.execute("DELETE FROM cursor")
    db.executemany("INSERT INTO cursor VALUES (?, ?)", done.cursor.items())
    db.executemany("REPLACE INTO lane VALUES (?, ?, ?)", ((*key, state) for key, state in done.lanes.items()))
    for table, column in (("series", "id"), ("snapshot", "series")):
        db.executemany(f"DELETE FROM {table} WHERE {column} = ?", ((one,) for one in done.gone))
    db.executemany(
        "REPLACE INTO series VALUES (?, ?, ?, ?, ?, ?)",
        ((one.id, *one.board, orjson.dumps(one.key).decode(), one.slot, one.born) for one in done.series),
    )
    for table in ("bucket", "counted"):
        db.executemany(
            f"DELETE FROM {table} WHERE definition = ? AND org = ? AND ts >= ?",
            ((*board, ts) for board, ts in done.back.items()),
        )
    db.executemany(
        "REPLACE INTO bucket VALUES (?, ?, ?, ?)", ((*board, ts, row) for (board, ts), row in done.rows.items())
    )
    _write_counted(db, done)
    _write_snapshots(db, done)
    db.executemany(
        "REPLACE INTO board VALUES (?, ?, ?, ?, ?)",
        ((*board, one.series, one.beyond, one.lost) for board, one in done.counts.items()),
    )
    write_anomalies(db, done.anomalies)


def _write_counted(db: sqlite3.Connection, done: Progress) -> None:
    db.executemany(
        "REPLACE INTO counted VALUES (?, ?, ?, ?)", ((*board, ts, cells) for (board, ts), cells in done.counted.items())
    )
    closed = {board for board, _ in done.counted}
    db.executemany(
        "DELETE FROM counted WHERE definition = ? AND org = ? AND ts < ?",
        ((*board, ts) for board, ts in done.asked_from.items() if board in closed),
    )


def _write_snapshots(db: sqlite3.Connection, done: Progress) -> None:
    db.executemany("DELETE FROM snapshot WHERE series = ? AND ts >= ?", done.void.items())
    db.executemany("REPLACE INTO snapshot VALUES (?, ?, ?)", ((*key, state) for key, state in done.snapshots.items()))
    db.executemany(  # all that are newer than a late event may lead, and the newest of the others
        "DELETE FROM snapshot WHERE series = ?1 AND ts < (SELECT max(ts) FROM snapshot WHERE series = ?1 AND ts <= ?2)",
        ((series, ts - _SNAPSHOTS_MS) for series, ts in done.snapshots),
    )


def write_anomalies(db: sqlite3.Connection, anomalies: Sequence[Anomaly]) -> None:
    """What is farthest off is what an episode is shown with."""
    db.executemany(
        """
        INSERT INTO anomaly VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
            until = max(until, excluded.until), buckets = max(buckets, excluded.buckets),
            at = iif(excluded.strength > strength, excluded.at, at), actual = iif(excluded.strength > strength, excluded.actual, actual),
            expected = iif(excluded.strength > strength, excluded.expected, expected),
            lower = iif(excluded.strength > strength, excluded.lower, lower),
            upper = iif(excluded.strength > strength, excluded.upper, upper),
            parts = iif(excluded.strength > strength, excluded.parts, parts), strength = max(strength, excluded.strength)
        """,
        (
            (one.id, one.series, one.definition, one.org, one.since, one.until, one.at, one.actual, one.expected, one.lower, one.upper,
             one.strength, one.buckets, one.alert, orjson.dumps(one.parts).decode())
            for one in anomalies
        ),
    )  # fmt: skip
