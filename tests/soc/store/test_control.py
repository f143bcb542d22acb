"""A control database that an older govsoc has written."""

from __future__ import annotations

from soc.buffer.database import Database
from soc.model.alert import Decision, Status, Triage, Verdict
from soc.model.org import EVERYTHING
from soc.store.base import AlertFilter
from soc.store.control import SCHEMA, control_file
from soc.store.detections import SCHEMA as DETECTIONS
from soc.store.detections import detections_file
from soc.store.sqlite import open_stores


def test_decisions_of_before_incidents_are_what_they_were(tmp_path):
    old = Database(control_file(tmp_path), SCHEMA[:1])
    with old.write() as db:
        db.execute("INSERT INTO triage VALUES ('a', 'closed', 'benign', 'lan', 3, 7, 'minh')")
        db.execute(
            "INSERT INTO change (alert_id, at, by, field, old, new) VALUES ('a', 7, 'minh', 'comment', NULL, 'x')"
        )
    old.close()
    stores = open_stores(tmp_path)
    assert stores.incidents.list(EVERYTHING).items == ()
    assert stores.alerts.list(AlertFilter(awake_at=1), EVERYTHING).items == ()
    assert [line.new for line in stores.triage.history("a")] == ["x"]
    joined = stores.triage.change("a", Decision(version=3, incident="1" * 24), by="lan", now=8)
    assert joined == Triage(Status.CLOSED, Verdict.BENIGN, "lan", 4, 8, "lan", "1" * 24, None)


def test_decisions_of_before_they_were_counted_are_counted(tmp_path):
    facts = Database(detections_file(tmp_path), DETECTIONS[:3])
    with facts.write() as db:
        db.executemany(
            "INSERT INTO alert VALUES (?, 'r-1', 'h', 'hungyen', 'source.ip', ?, 'Rule', 'high', '[]', 1, 1, 1, ?, ?)",
            [(str(n), str(n), n, "test" if n == 9 else "live") for n in range(10)],
        )
    facts.close()
    old = Database(control_file(tmp_path), SCHEMA[:-1])
    columns = "alert_id, status, verdict, version, updated_at, updated_by"
    with old.write() as db:
        for alert in ("1", "2", "9", "unknown"):
            db.execute(f"INSERT INTO triage ({columns}) VALUES ('{alert}', 'closed', 'benign', 1, 7, 'minh')")
    old.close()
    alerts = open_stores(tmp_path).alerts
    assert alerts.counts(EVERYTHING) == {Status.NEW: 7, Status.ACKNOWLEDGED: 0, Status.CLOSED: 2}
    assert alerts.by_rule(EVERYTHING) == {"r-1": 9}
    assert alerts.verdicts(EVERYTHING) == {"r-1": {Verdict.BENIGN: 2}}
