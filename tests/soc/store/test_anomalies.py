"""What the observer keeps: how far it has read, for whoever deletes what all have read, and what late events correct."""

from __future__ import annotations

import os
from dataclasses import replace

from soc.model.anomaly import Board, Progress
from soc.store.anomalies import SqliteAnomalies, anomalies_file, read_by_observer

HOUR_S = 3600
NOTHING = Progress({}, {}, {}, {}, {}, [], [], [], {})


def test_an_observer_that_writes_holds_what_it_has_not_read_and_one_that_is_off_holds_nothing(tmp_path):
    now = 1_800_000_000.0
    assert read_by_observer(tmp_path, now) is None, "there has never been one"
    assert not anomalies_file(tmp_path).exists(), "asking makes no database"
    kept = SqliteAnomalies(tmp_path)
    kept.commit(replace(NOTHING, cursor={"2026-03-02": 17}))
    kept.close()
    written = anomalies_file(tmp_path).stat().st_mtime
    assert read_by_observer(tmp_path, written + 1) == {"2026-03-02": 17}
    os.utime(anomalies_file(tmp_path), (written - 2 * HOUR_S, written - 2 * HOUR_S))
    assert read_by_observer(tmp_path, written + 1) is None


def test_what_was_counted_is_kept_until_nothing_late_can_ask_for_it(tmp_path):
    board, other = Board("delivery", "hungyen"), Board("delivery", "ninhbinh")
    kept = SqliteAnomalies(tmp_path)
    cells = {(one, ts): f"{one.org}{ts}".encode() for one in (board, other) for ts in (0, 60_000, 120_000)}
    kept.commit(replace(NOTHING, counted=cells, asked_from={board: 60_000, other: 0}))
    assert [kept.counted(board, ts) for ts in (0, 60_000, 120_000)] == [None, b"hungyen60000", b"hungyen120000"]
    assert kept.counted(other, 0) == b"ninhbinh0", "another organisation's are its own"
    again = {(board, 120_000): b"counted again"}
    kept.commit(replace(NOTHING, counted=again, back={board: 120_000, other: 60_000}))
    assert kept.counted(board, 120_000) == b"counted again"
    assert kept.counted(other, 60_000) is None, "the clock had been ahead"
    kept.forget(board)
    assert kept.counted(board, 60_000) is None
    assert kept.counted(other, 0) is not None
    kept.close()
