"""What a data directory and its store hold, read past the product: the events, the alerts and the findings of a run.

Two runs that give equal `Outcome`s have stored and detected the same, whatever their stores are.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from elastic import documents

from deploy.elasticsearch.cluster import Cluster
from soc.store.elastic.events.added import without_added

# An alert without the wall clock of its raising.
_ALERT = ("id", "rule_id", "rule_hash", "org", "entity", "first_seen", "last_seen", "count", "stage")
_FINDING = ("alert_id", "event_id", "rule_hash", "ts", "matched")
_HIDDEN = ("rule_id", "exception_id", "org", "day", "events")


@dataclass(frozen=True)
class Outcome:
    """`events`: (id, document), `alerts` and `findings` likewise in order; what is stored twice is there twice."""

    events: list[tuple[str, dict]]
    alerts: list[tuple]
    findings: list[tuple]
    hidden: list[tuple]


class Kept(Protocol):
    """The store of one run."""

    def stored(self) -> int:
        """How many events a search could find by now."""
        ...

    def outcome(self) -> Outcome: ...

    def audited(self, who: str) -> list[tuple[str, str, str]]:
        """What this account did: action, target, detail."""
        ...


class InFiles:
    """The embedded store: the event log and `detector.db`."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def stored(self) -> int:
        return rows(self._data_dir)

    def outcome(self) -> Outcome:
        events = [
            (id_, json.loads(doc))
            for path in day_files(self._data_dir)
            for id_, doc in read(path, "SELECT id, doc FROM event")
        ]
        database = self._data_dir / "detector.db"
        findings = [
            (*finding, json.loads(matched))
            for *finding, matched in read(database, f"SELECT {', '.join(_FINDING)} FROM finding")
        ]
        alerts = list(read(database, f"SELECT {', '.join(_ALERT)} FROM alert"))
        return _ordered(events, alerts, findings, list(read(database, f"SELECT {', '.join(_HIDDEN)} FROM hidden")))

    def audited(self, who: str) -> list[tuple[str, str, str]]:
        entries = read(self._data_dir / "control.db", "SELECT by, action, target, detail FROM audit")
        return [(action, target, detail) for by, action, target, detail in entries if by == who]


class InCluster:
    """Everything that the indices of a cluster hold."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def stored(self) -> int:
        self._cluster.request("POST", "/govsoc-events-*/_refresh")
        return int(self._cluster.request("GET", "/govsoc-events-*/_count")["count"])

    def outcome(self) -> Outcome:
        events = [(hit["_id"], without_added(hit["_source"])) for hit in documents(self._cluster, "govsoc-events-*")]
        alerts, findings = self._values("alerts-*", _ALERT), self._values("findings-*", _FINDING)
        return _ordered(events, alerts, findings, self._values("hidden*", _HIDDEN))  # it is made when it is needed

    def audited(self, who: str) -> list[tuple[str, str, str]]:
        entries = self._values("audit-*", ("by", "action", "target", "detail"))
        return [(action, target, detail) for by, action, target, detail in entries if by == who]

    def _values(self, kind: str, fields: tuple[str, ...]) -> list[tuple]:
        found = documents(self._cluster, f"govsoc-{kind}")
        return [tuple(hit["_source"][field] for field in fields) for hit in found]


def _ordered(
    events: list[tuple[str, dict]], alerts: list[tuple], findings: list[tuple], hidden: list[tuple]
) -> Outcome:
    in_order = sorted(findings, key=lambda finding: finding[:2])
    return Outcome(sorted(events, key=lambda event: event[0]), sorted(alerts), in_order, sorted(hidden))


# How far a run has come, which is in its data directory with every store


def day_files(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "events").glob("*.db"))


def read(path: Path, sql: str) -> Iterator[tuple]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield from db.execute(sql)
    finally:
        db.close()


def total(path: Path, sql: str) -> int:
    """0 while the file or its table is not there yet."""
    try:
        return int(next(read(path, sql))[0])
    except sqlite3.OperationalError:
        return 0


def rows(data_dir: Path) -> int:
    """Events that the collector has committed."""
    return sum(total(path, "SELECT count(*) FROM event") for path in day_files(data_dir))


def last_row(data_dir: Path) -> int:
    """The number of the last event's row: larger than how many there are, as lines that were read again use up numbers."""
    return sum(total(path, "SELECT max(seq) FROM event") for path in day_files(data_dir))


def position(data_dir: Path) -> int:
    """The number of the last row that the detector has committed."""
    return total(data_dir / "detector.db", "SELECT coalesce(sum(position), 0) FROM cursor")
