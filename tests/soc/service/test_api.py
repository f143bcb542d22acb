"""What the API process hands on of its settings."""

from __future__ import annotations

import threading
from zoneinfo import ZoneInfo

import pytest

from soc.service import api as process
from soc.settings import Detect, Settings


def test_times_are_shown_in_the_zone_of_the_settings(tmp_path, monkeypatch):
    made = []

    def create_app(state):
        made.append(state)
        raise RuntimeError("enough")

    monkeypatch.setattr(process, "create_app", create_app)
    monkeypatch.setattr(process, "check_port", lambda *_: None)
    with pytest.raises(RuntimeError, match="enough"):
        process.api(Settings(data_dir=tmp_path, detect=Detect(zone="Asia/Tokyo")), threading.Event())
    assert made[0].zone == ZoneInfo("Asia/Tokyo")
