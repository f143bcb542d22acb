"""What is wrong with a source, from what the collector knows of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.diagnose import State, diagnose, in_words
from soc.model.source import Source, SourceHealth, Transport

NOW = 1_772_452_800_000
MINUTE = 60_000
HOUR = 60 * MINUTE
PUSH = Source("otp", "OTP", "hungyen", "otp.gateway", Transport.PUSH)
SYSLOG = Source("srv", "srv", "hungyen", "syslog", Transport.SYSLOG, ("10.1.2.3",))
GOOD = SourceHealth("otp", NOW - 1000, NOW - 500, 100, 0, 1.0, lag_ms=800)


@pytest.mark.parametrize(
    ("health", "state"),
    [
        (None, State.WAITING),
        (SourceHealth("otp", None, None, 0, 0, 0.0), State.WAITING),
        (GOOD, State.WORKS),
        (replace(GOOD, problem="permission denied"), State.PROBLEM),
        (SourceHealth("otp", None, None, 0, 0, 0.0, refused=1, last_refused=NOW - MINUTE), State.WRONG_TOKEN),
        (replace(GOOD, last_refused=NOW - MINUTE), State.WORKS),  # and then the right one
        (replace(GOOD, last_received=NOW - HOUR, last_refused=NOW - MINUTE), State.WRONG_TOKEN),
        (replace(GOOD, last_received=NOW - HOUR), State.SILENT),
        (replace(GOOD, dead_rate=0.5, dead=50), State.WRONG_FORMAT),
        (replace(GOOD, dead_rate=0.0, dead=50), State.WORKS),  # mended: what was before does not count
        (replace(GOOD, rate=0.0, dead=50), State.WRONG_FORMAT),
        (replace(GOOD, lag_ms=-9 * MINUTE), State.AHEAD),
        (replace(GOOD, lag_ms=9 * HOUR + 11 * MINUTE), State.BEHIND),
        (replace(GOOD, lag_ms=20 * MINUTE), State.WORKS),
    ],
)
def test_states(health, state):
    found = diagnose(PUSH, health, NOW)
    assert found.state == state
    assert found.works == (state is State.WORKS)
    assert in_words(found)


def test_what_the_collector_says_is_told_as_it_stands():
    """Of probes some may well be made."""
    found = diagnose(PUSH, replace(GOOD, problem="1 of 12 targets are not probed: x"), NOW)
    assert in_words(found) == "The collector reports a problem: 1 of 12 targets are not probed: x"


@pytest.mark.parametrize(("lag_hours", "zone"), [(-7, "+14:00"), (7, "+00:00"), (7.5, "-00:30"), (-1, "+08:00")])
def test_times_that_are_off_by_whole_hours_name_the_zone(lag_hours, zone):
    """The source says +07:00: what seems 7 h old was written in UTC."""
    found = diagnose(PUSH, replace(GOOD, lag_ms=int(lag_hours * HOUR) + 900), NOW)
    assert (found.state, found.zone) == (State.WRONG_ZONE, zone)
    assert zone in in_words(found)


def test_the_zone_that_is_named_puts_the_times_right():
    """Written at 12:00 UTC by a clock in UTC, read as +07:00: seven hours old. Read as it is told, it is fresh."""
    from collector.base import Record
    from collector.parse.record import to_event
    from collector.privacy import Masker

    record = Record(b"Mar  2 12:00:00 host app: hello", "0")
    seen = to_event(record, SYSLOG, Masker(bytes(32)), NOW)
    found = diagnose(SYSLOG, replace(GOOD, lag_ms=NOW - seen.ts), NOW)
    assert to_event(record, replace(SYSLOG, zone=found.zone), Masker(bytes(32)), NOW).ts == NOW


def test_unknown_senders_are_named_where_syslog_is_waited_for():
    assert diagnose(SYSLOG, None, NOW, senders=["10.9.9.9"]).senders == ("10.9.9.9",)
    assert diagnose(PUSH, None, NOW, senders=["10.9.9.9"]).state is State.WAITING
    assert diagnose(SYSLOG, GOOD, NOW, senders=["10.9.9.9"]).state is State.WORKS


def test_a_better_type_and_the_reason_are_told():
    found = diagnose(PUSH, replace(GOOD, dead_rate=1.0, dead_reason="the line is not JSON"), NOW, better="nginx.access")
    assert "nginx.access" in in_words(found)
    assert "not JSON" in in_words(found)


def test_a_switched_off_source_is_only_that():
    assert diagnose(replace(PUSH, enabled=False), replace(GOOD, problem="x"), NOW).state is State.DISABLED
