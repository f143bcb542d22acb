"""What the observer keeps: how far it has read, for whoever deletes what all have read."""

from __future__ import annotations

import os

from soc.model.anomaly import Progress
from soc.store.anomalies import SqliteAnomalies, anomalies_file, read_by_observer

HOUR_S = 3600


def test_an_observer_that_writes_holds_what_it_has_not_read_and_one_that_is_off_holds_nothing(tmp_path):
    now = 1_800_000_000.0
    assert read_by_observer(tmp_path, now) is None, "there has never been one"
    assert not anomalies_file(tmp_path).exists(), "asking makes no database"
    kept = SqliteAnomalies(tmp_path)
    kept.commit(Progress({"2026-03-02": 17}, {}, {}, {}, {}, [], [], [], {}))
    kept.close()
    written = anomalies_file(tmp_path).stat().st_mtime
    assert read_by_observer(tmp_path, written + 1) == {"2026-03-02": 17}
    os.utime(anomalies_file(tmp_path), (written - 2 * HOUR_S, written - 2 * HOUR_S))
    assert read_by_observer(tmp_path, written + 1) is None
