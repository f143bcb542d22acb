"""Putting the detector together: what is wrong with the rules is said."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from rules.desk.tuning import Tuning
from soc.buffer.sqlite import EventLog
from soc.service.detector import build_pipeline
from soc.settings import Settings
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir

ANYTHING = """
title: anything
logsource: {category: test}
detection: {hidden: {url.path: /health}, condition: not hidden}
"""


def test_a_rule_for_which_every_event_is_parsed_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "anything.yml").write_text(ANYTHING)
    settings = Settings(data_dir=tmp_path / "data", detect={"rules": [tmp_path]})
    log, detections = EventLog(events_dir(settings.data_dir)), SqliteDetections(settings.data_dir)
    try:
        with capture_logs() as said:
            build_pipeline(settings, log, detections, Tuning)
    finally:
        log.close()
        detections.close()
    [warning] = said
    assert "anything.yml:2: warning: it names nothing that must be there" in warning["rule"]
