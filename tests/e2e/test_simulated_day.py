"""A simulated day through masking, parsing and every rule: ordinary traffic is silent, every kind of incident is seen."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from rules.load import load
from rules.match import Engine
from soc.model.event import Event
from soc.model.finding import LEVELS, Finding
from soc.model.source import Source, Transport
from soc.simulator import FILES, INCIDENTS, Rates, World, schedule

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = int(datetime(2026, 3, 2, tzinfo=ZONE).timestamp() * 1000)
HOUR_MS = 3_600_000
SOURCES = {stream: Source(stream, stream, "hungyen", stream, Transport.FILE) for stream in FILES}
# What an alert of each kind has to be about, by words of its title.
SEEN_AS = {
    "sqli_scan": "SQL Injection",
    "directory_brute_force": "Directory and File Brute Force",
    "log4shell_probe": "Log4Shell",
    "ssh_brute_force": "SSH Password Guessing",
    "otp_pumping": "SMS Pumping",
    "otp_carrier_outage": "Not Delivered at One Carrier",
    "otp_code_leak": "One-Time Code Found",
    "lgsp_provider_timeout": "Does Not Answer in Time",
    "lgsp_token_misuse": "Invalid LGSP Tokens",
    "lgsp_mass_lookup": "Very Many Citizens",
}


class Memory(dict[str, bytes]):
    def set(self, key: str, value: bytes, expires: int) -> None:
        self[key] = value


def events_of(world: World, end: int) -> list[Event]:
    masker = Masker(bytes(32))
    return [
        to_event(Record(line.text.encode(), str(number)), SOURCES[line.stream], masker, line.at)
        for number, line in enumerate(world.lines(end))
    ]


@pytest.fixture(scope="module")
def ruleset():
    ruleset = load()
    assert not ruleset.errors
    return ruleset


def detect(ruleset, events: list[Event]) -> list[Finding]:
    engine, state, found = Engine(ruleset, ZONE), Memory(), []
    for at in range(0, len(events), 1000):
        findings = engine.match(events[at : at + 1000])
        found += findings + engine.correlate(findings, state)
    assert not engine.broken
    return [finding for finding in found if not finding.silent]


def test_an_ordinary_day_raises_nothing_that_an_analyst_must_see(ruleset):
    events = events_of(World(11, MONDAY), MONDAY + 24 * HOUR_MS)
    assert len(events) > 100_000
    assert [event.fields["error.message"] for event in events if event.dead] == []
    told = Counter(ruleset.get(f.rule_id).title for f in detect(ruleset, events) if _level(ruleset, f) >= "medium")
    assert not told


@pytest.mark.parametrize("hour", [3, 9], ids=["at night", "in office hours"])
def test_every_kind_of_incident_is_detected(ruleset, hour):
    start = MONDAY + hour * HOUR_MS
    world = World(12, start, Rates().times(0.5), schedule(start, 60_000, 360_000))
    events = events_of(world, start + HOUR_MS + 300_000)
    assert {incident.kind for incident in world.incidents} == set(INCIDENTS)
    found = detect(ruleset, events)
    alarms = [(f.ts, ruleset.get(f.rule_id).title, f.entity) for f in found if _level(ruleset, f) >= "medium"]
    for incident in world.incidents:
        about = set(incident.who.values())
        assert any(
            incident.start <= ts <= incident.end and SEEN_AS[incident.kind] in title and (not about or entity in about)
            for ts, title, entity in alarms
        ), incident
    explained = {name for incident in world.incidents for name in incident.who.values()} | {"hungyen"}
    assert {alarm for alarm in alarms if alarm[2] not in explained and not alarm[2].startswith("phone_")} == set()


class _Level(int):
    def __ge__(self, name: object) -> bool:
        return int(self) >= LEVELS.index(str(name))


def _level(ruleset, finding: Finding) -> _Level:
    return _Level(LEVELS.index(ruleset.get(finding.rule_id).level))
