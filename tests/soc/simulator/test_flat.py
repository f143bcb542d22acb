"""Native lines and flat events are two ways of writing the same entries."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import islice

import pytest

from collector.parse.base import Context
from collector.parse.registry import parser_of
from soc.simulator import FILES, KINDS, Rates, World, schedule
from soc.simulator.line import HOUR_MS, ZONE

MONDAY_8 = int(datetime(2026, 3, 2, 8, tzinfo=ZONE).timestamp() * 1000)
_OURS = {"@timestamp", "event.id", "event.dataset", "organization.id"}


@pytest.fixture(scope="module")
def pairs():
    """Line and event of each entry of an hour in which every loud incident happens."""

    def world() -> World:
        return World(5, MONDAY_8, Rates().times(0.3), islice(schedule(MONDAY_8, 60_000, 300_000), 10))

    end = MONDAY_8 + HOUR_MS
    return list(zip(world().lines(end), world().events(end), strict=True))


def test_what_an_event_has_is_what_the_parser_finds_in_the_line(pairs):
    assert {line.stream for line, _ in pairs} == set(FILES)
    context = Context(ZONE, MONDAY_8)
    for line, event in pairs:
        fields = parser_of(line.stream, by_syslog=False)(line.text, context)
        assert event.ts == fields["@timestamp"]
        said = {name: value for name, value in event.fields.items() if name not in _OURS}
        assert said == {name: fields.get(name) for name in said}, line.text


def test_events_say_what_detectors_group_by(pairs):
    groups = {
        "otp.gateway": {"govsoc.otp.carrier", "govsoc.otp.event", "govsoc.otp.status", "event.outcome", "user.id", "source.ip"},
        "lgsp.gateway": {
            "govsoc.lgsp.consumer", "govsoc.lgsp.provider", "govsoc.lgsp.service_code", "govsoc.lgsp.duration_ms", "event.outcome",
        },
        "nginx.access": {"source.ip", "http.response.status_code", "event.duration", "event.outcome", "url.original"},
    }  # fmt: skip
    pages = [event.fields for _, event in pairs if event.fields.get("url.path", "").startswith("/thu-tuc/1.")]
    assert pages
    assert all(fields["url.path"] == "/thu-tuc/" + fields["govsoc.procedure.code"] for fields in pages)
    unknown = {"govsoc.lgsp.consumer"}  # a call without a key is nobody's
    for _, event in pairs:
        assert groups.get(event.dataset, set()) - unknown <= event.fields.keys()
        assert event.org == event.fields["organization.id"] == "hungyen"
    assert len({event.id for _, event in pairs}) == len(pairs)


def test_a_clock_that_is_wrong_is_wrong_in_both():
    plan = [(MONDAY_8, "clock_skew")]
    end = MONDAY_8 + HOUR_MS // 6

    def world() -> World:
        return World(6, MONDAY_8, Rates(0, 0, 0, 500, 0, 0, 0, 0), plan)

    for entry, line, event in zip(world().entries(end), world().lines(end), world().events(end), strict=True):
        written = datetime.fromisoformat(json.loads(line.text)["time"]).timestamp() * 1000
        assert written == event.ts == entry.at + 240_000


def test_every_kind_of_incident_can_be_written_both_ways():
    for kind in KINDS:
        for way in ("lines", "events"):
            world = World(7, MONDAY_8, Rates().times(0.05), [(MONDAY_8, kind)])
            assert list(getattr(world, way)(MONDAY_8 + HOUR_MS // 4)) or kind == "collector_outage"
