"""The embedded store: every noun on SQLite, in one data directory.

events/2026-11-22.db   the event log, one file a day of event time   written by the collector
collector.db           checkpoints, health of sources                written by the collector
detector.db            findings, alert facts, state, cursor          written by the detector
control.db             triage, incidents, policies, deliveries, outages, sources, accounts, audit   by the API and the command line
keys/                  one secret an organisation for tokens          written by the collector
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from soc.buffer.database import Database
from soc.store.alerts import SqliteAlerts
from soc.store.base import Stores
from soc.store.collected import SqliteHealth, open_collected
from soc.store.control import SqliteAccounts, SqliteAudit, SqliteSources, open_control
from soc.store.deliveries import SqliteDeliveries
from soc.store.detections import SCHEMA, detections_file
from soc.store.events import SqliteEvents
from soc.store.incidents import SqliteIncidents
from soc.store.ledger import SqliteLedger
from soc.store.outages import SqliteOutages
from soc.store.policies import SqlitePolicies
from soc.store.triage import SqliteTriage


def events_dir(data_dir: Path) -> Path:
    return data_dir / "events"


def keys_dir(data_dir: Path) -> Path:
    return data_dir / "keys"


def open_stores(data_dir: Path, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> Stores:
    """All stores of a data directory, which is made when missing. `clock`: ms since 1970."""
    control = open_control(data_dir)
    with control.read():  # the file must be there before alerts attach it
        pass
    detected = Database(detections_file(data_dir), SCHEMA)
    triage = SqliteTriage(control, detected)
    triage.place()
    return Stores(
        events=SqliteEvents(events_dir(data_dir)),
        alerts=SqliteAlerts(data_dir),
        triage=triage,
        incidents=SqliteIncidents(control),
        sources=SqliteSources(control, clock),
        policies=SqlitePolicies(control),
        deliveries=SqliteDeliveries(control),
        health=SqliteHealth(open_collected(data_dir)),
        outages=SqliteOutages(control),
        ledger=SqliteLedger(detected),
        accounts=SqliteAccounts(control, clock),
        audit=SqliteAudit(control),
    )
