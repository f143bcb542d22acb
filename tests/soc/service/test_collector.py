"""What the collector does beside collecting."""

from __future__ import annotations

from structlog.testing import capture_logs

from soc.buffer.sqlite import EventLog
from soc.service.collector import keep_retention
from soc.settings import Settings
from soc.store.sqlite import events_dir


class Turns:
    """Is told to stop after so many turns."""

    def __init__(self, count: int) -> None:
        self.left = count

    def wait(self, _: float) -> bool:
        self.left -= 1
        return self.left < 0


def test_before_the_first_event_retention_has_nothing_to_do_and_nothing_to_say(tmp_path):
    log = EventLog(events_dir(tmp_path))
    with capture_logs() as said:
        keep_retention(Settings(data_dir=tmp_path), log, Turns(2))
    assert said == []
    log.close()
