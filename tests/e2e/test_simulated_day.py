"""A simulated day through masking, parsing and every rule: ordinary traffic is silent, every kind of incident is seen.

What rules find does not depend on a store, so most of this runs without one; that what they found is shown is looked at on both.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from servers import both_stores

from bench.collected import events_of
from rules.engine import Engine
from rules.load.folders import load
from soc.model.event import Event
from soc.model.finding import LEVELS, Finding
from soc.simulator import FILES, INCIDENTS, Rates, World, schedule

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = int(datetime(2026, 3, 2, tzinfo=ZONE).timestamp() * 1000)
HOUR_MS = 3_600_000
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


@pytest.fixture(scope="module")
def ruleset():
    ruleset = load()
    assert not ruleset.errors
    return ruleset


def detect(ruleset, events: Iterator[Event]) -> tuple[int, list[Finding]]:
    """How many events there were, and the findings that are not silent. Every event has to have been parsed."""
    engine, state, count, found = Engine(ruleset, ZONE), Memory(), 0, []
    while batch := list(islice(events, 1000)):
        assert [event.fields["error.message"] for event in batch if event.dead] == []
        count += len(batch)
        findings = engine.match(batch)
        found += [finding for finding in findings + engine.correlate(findings, state) if not finding.silent]
    assert not engine.broken
    return count, found


@pytest.mark.parametrize(("hours", "rate"), [((0, 24), 0.3), ((8, 10), 1.0)], ids=["a day", "the busiest hours"])
@pytest.mark.long
def test_ordinary_traffic_raises_nothing_that_an_analyst_must_see(ruleset, hours, rate):
    start, end = (MONDAY + hour * HOUR_MS for hour in hours)
    count, found = detect(ruleset, events_of(World(11, start, Rates().times(rate)), end))
    assert count > 15_000
    assert not Counter(ruleset.get(finding.rule_id).title for finding in found if _level(ruleset, finding) >= "medium")


@pytest.mark.parametrize("hour", [3, 9], ids=["at night", "in office hours"])
def test_every_kind_of_incident_is_detected(ruleset, hour):
    start = MONDAY + hour * HOUR_MS
    world = World(12, start, Rates().times(0.5), schedule(start, 60_000, 360_000))
    _, found = detect(ruleset, events_of(world, start + HOUR_MS + 300_000))
    assert {incident.kind for incident in world.incidents} == set(INCIDENTS)
    alarms = [(f.ts, ruleset.get(f.rule_id).title, f.entity) for f in found if _level(ruleset, f) >= "medium"]
    for incident in world.incidents:
        about = set(incident.who.values())
        assert any(
            incident.start <= ts <= incident.end and SEEN_AS[incident.kind] in title and (not about or entity in about)
            for ts, title, entity in alarms
        ), incident
    explained = {name for incident in world.incidents for name in incident.who.values()} | {"hungyen"}
    assert {alarm for alarm in alarms if alarm[2] not in explained and not alarm[2].startswith("phone_")} == set()


@pytest.mark.server
@both_stores
def test_an_analyst_is_shown_every_kind_of_incident(product, tmp_path):
    start = MONDAY + 9 * HOUR_MS
    end = start + HOUR_MS + 300_000
    world = World(12, start, Rates().times(0.05), schedule(start, 60_000, 360_000))
    files = {stream: tmp_path / name for stream, name in FILES.items()}
    lines: dict[str, list[str]] = {stream: [] for stream in FILES}
    for line in world.lines(end):
        lines[line.stream].append(f"{line.text}\n")
    for stream, file in files.items():
        file.write_text("".join(lines[stream]))
        os.utime(file, (end / 1000, end / 1000))  # "now", for logs that have no years
        product.soc("replay", str(file), "--source-type", stream, "--source", stream, "--org", "hungyen")
    assert {incident.kind for incident in world.incidents} == set(INCIDENTS)
    product.start()
    shown = {(alert["title"], alert["entity"]) for alert in product.alerts()}
    for incident in world.incidents:
        about, words = set(incident.who.values()), SEEN_AS[incident.kind]
        assert any(words in title and (not about or entity in about) for title, entity in shown), incident


class _Level(int):
    def __ge__(self, name: object) -> bool:
        return int(self) >= LEVELS.index(str(name))


def _level(ruleset, finding: Finding) -> _Level:
    return _Level(LEVELS.index(ruleset.get(finding.rule_id).level))
