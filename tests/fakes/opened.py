"""Each store as a process opens it, and findings to fill it with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from indexed import IndexedLog

from soc.buffer.base import Buffer
from soc.buffer.sqlite import EventLog
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.rule import FilterDoc, LogSource, RuleDoc
from soc.store.base import NO_ENTRIES, Detections, Stores
from soc.store.detections import SqliteDetections
from soc.store.elastic import open as elastic
from soc.store.elastic.client import Client
from soc.store.sqlite import events_dir, open_stores

NOON = 1_772_452_800_000
RULE = RuleDoc(
    "r-1",
    "hash-1",
    "SSH brute force",
    "high",
    "title: SSH brute force",
    tags=("attack.t1110",),
    runbook={"en": "look"},
    logsources=(LogSource("linux", None, "sshd"), LogSource()),
    filters=(FilterDoc("f-1", "/rules/f.yml", "title: Not the backup"),),
)


@dataclass
class Opened:
    stores: Stores
    detections: Detections
    buffer: Buffer


def open_sqlite(folder: Path) -> Opened:
    return Opened(open_stores(folder), SqliteDetections(folder), EventLog(events_dir(folder)))


def open_elastic(folder: Path, client: Client) -> Opened:
    return Opened(
        elastic.open_stores(client), elastic.open_detections(client, folder), IndexedLog(events_dir(folder), client)
    )


def finding(event, rule=RULE, entity="203.0.113.9", day="2026-03-02", **matched):
    alert = alert_id(rule.id, event.org, entity, day)
    return Finding(
        finding_id(alert, event.id),
        alert,
        rule.id,
        rule.hash,
        event.org,
        "source.ip",
        entity,
        event.ts,
        event.id,
        matched,
    )


def commit(
    opened, findings, now=NOON, rule=RULE, state=None, cursor=None, watermark=None, hidden=(), ledger=NO_ENTRIES
):
    return opened.detections.commit(
        findings, {rule.hash: rule}, state or {}, cursor or {}, watermark, now, hidden, ledger
    )
