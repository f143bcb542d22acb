"""The alarm for silent sources, on a real store with a clock of its own."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from api.directory import Organisations
from api.standing import expect, rearrange
from soc import telemetry
from soc.errors import StoreUnavailable
from soc.model.org import EVERYTHING
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import LogSource, RuleDoc
from soc.model.silence import Outage
from soc.model.source import Source, SourceHealth, Transport
from soc.service.watch import Watch
from soc.store.collected import SqliteHealth, open_collected
from soc.store.detections import SqliteDetections
from soc.store.sqlite import open_stores

START = 1_772_452_800_000  # 2026-03-02T12:00:00Z
MINUTE = 60_000
WEB = RuleDoc("web", "h1", "Web", "high", "", logsources=(LogSource(category="webserver"),))
SSH = RuleDoc("ssh", "h2", "SSH", "high", "", logsources=(LogSource("linux", None, "sshd"),))
BOTH = RuleDoc("both", "h3", "Both", "high", "", logsources=(LogSource("linux"), LogSource("otp")))
BASE = replace(SSH, id="base", hash="h4", silent=True)


class Country:
    def __init__(self, folder):
        self.stores = open_stores(folder)
        self.health = SqliteHealth(open_collected(folder))
        self.now = START
        self.watch = Watch(self.stores, lambda: self.now)
        SqliteDetections(folder).publish([WEB, SSH, BOTH, BASE], [])

    def add(self, id_, org="hungyen", type_="nginx.access"):
        self.stores.sources.add(Source(id_, id_, org, type_, Transport.FILE), None, by="test")

    def hear(self, *ids):
        self.health.report([SourceHealth(id_, self.now, self.now, 1, 0, 1.0) for id_ in ids])

    def look(self, minutes=0.0):
        self.now += int(minutes * MINUTE)
        self.watch.look()
        return self.stores.outages.list(EVERYTHING, since=0)


@pytest.fixture
def country(tmp_path):
    return Country(tmp_path)


def test_a_silence_is_noted_once_with_the_blind_rules_and_clears_itself(country):
    country.add("portal")
    country.hear("portal")
    assert country.look(15) == []
    [outage] = country.look(1 / 3)
    assert (outage.source, outage.org, outage.since) == ("portal", "hungyen", START)
    assert (outage.noticed_at, outage.cleared_at, outage.blind) == (country.now, None, ("web",))
    assert country.look(60) == [outage]
    country.hear("portal")
    assert country.look(1 / 3) == [replace(outage, cleared_at=country.now)]
    second, first = country.look(30)
    assert (second.cleared_at, first.id) == (None, outage.id)


def test_another_live_source_of_the_same_organisation_keeps_the_rules_seeing(country):
    for id_, org, type_ in (
        ("a", "hungyen", "nginx.access"), ("b", "hungyen", "apache.access"), ("c", "ninhbinh", "nginx.access"),
        ("d", "hungyen", "linux.auth"), ("e", "hungyen", "otp.gateway"),
    ):  # fmt: skip
        country.add(id_, org, type_)
    country.hear("a", "b", "c", "d", "e")
    country.now += 20 * MINUTE
    country.hear("b", "e")
    blind = {outage.source: outage.blind for outage in country.look()}
    assert blind == {"a": (), "c": ("web",), "d": ("ssh",)}


def test_a_syslog_source_is_taken_to_carry_sign_ins(country):
    country.add("server", type_="syslog")
    country.hear("server")
    assert country.look(16)[0].blind == ("ssh", "both")


def tune(country, rule_id, stage="live", **orgs):
    body = {"stage": stage, "orgs": {org: {"enabled": enabled} for org, enabled in orgs.items()}}
    country.stores.policies.put(Policy(PolicyKind.RULE, rule_id, 1, body, "test", 0))


def test_only_rules_that_run_for_the_organisation_are_blind(country):
    tune(country, "ssh", "test")
    tune(country, "both", "draft")
    tune(country, "web", hungyen=False)
    for id_, org, type_ in (
        ("h", "hungyen", "syslog"), ("w", "hungyen", "nginx.access"),
        ("n", "ninhbinh", "nginx.access"), ("c", "caobang", "linux.auth"),
    ):  # fmt: skip
        country.add(id_, org, type_)
    country.hear("h", "w", "n", "c")
    blind = {outage.source: outage.blind for outage in country.look(16)}
    assert blind == {"h": ("ssh",), "w": (), "n": ("web",), "c": ("ssh",)}


def test_a_correlation_of_which_no_base_rule_runs_is_not_blind(country, tmp_path):
    many = replace(SSH, id="many", hash="h5", bases=("base", "other"))
    SqliteDetections(tmp_path).publish([BASE, replace(BASE, id="other"), many], [])
    country.add("h", "hungyen", "linux.auth")
    country.hear("h")
    tune(country, "base", "draft")
    assert country.look(16)[0].blind == ("many",)
    tune(country, "other", "draft")
    country.hear("h")
    assert country.look(16)[0].blind == ()


def test_two_processes_that_watch_one_store_note_and_clear_together(country, tmp_path):
    other = Watch(open_stores(tmp_path), lambda: country.now + 7)
    country.add("portal")
    country.hear("portal")
    first = country.look(16)
    other.look()
    assert country.stores.outages.list(EVERYTHING, since=0) == first
    country.hear("portal")
    other.look()
    country.look()
    [cleared] = country.stores.outages.list(EVERYTHING, since=0)
    assert cleared.cleared_at == country.now + 7


def test_a_source_that_is_exempt_or_switched_off_is_no_outage(country):
    for id_ in ("a", "b", "never"):
        country.add(id_)
    country.hear("a", "b")
    assert len(country.look(20)) == 2
    country.stores.sources.set_enabled("a", False, by="test")
    expect(country.stores.policies, "b", {"exempt_until": "2026-03-02", "reason": "moving"}, by="test", now=0)
    assert [outage.cleared_at for outage in country.look(1)] == [country.now] * 2
    country.stores.sources.set_enabled("a", True, by="test")
    assert {o.source: o.cleared_at for o in country.look(1)} == {"b": country.now - MINUTE, "a": None}


def test_what_is_expected_counts_at_once(country):
    country.add("portal")
    country.hear("portal")
    expect(country.stores.policies, "portal", {"limit_minutes": 60}, by="test", now=0)
    assert country.look(60) == []
    rearrange(country.stores.policies, lambda old: replace(old, hours=((0, 1440),)), by="test", now=0, reason="")
    expect(country.stores.policies, "portal", {"schedule": "office_hours"}, by="test", now=0)
    assert country.look(0) == []
    assert len(country.look(1)) == 1


def test_an_expectation_that_cannot_be_read_hides_no_other(country):
    country.add("portal")
    country.hear("portal")
    for id_ in ("portal", ":calendar"):
        country.stores.policies.put(Policy(PolicyKind.SILENCE, id_, 1, {"newer": True}, "x", 0))
    assert len(country.look(16)) == 1


def test_an_expectation_that_cannot_be_read_is_said_once_and_not_at_each_look(country):
    country.stores.policies.put(Policy(PolicyKind.SILENCE, "from-a-newer-one", 1, {"newer": True}, "x", 0))
    with capture_logs() as said:
        for _ in range(3):
            country.look(1)
    assert [line["reason"] for line in said if "from-a-newer-one" in line.get("reason", "")] == [
        "source from-a-newer-one: newer is not known here; "
        "known are schedule, limit_minutes, exempt_until, reason, system"
    ]


def test_the_thread_goes_on_whatever_a_look_meets(country):
    stop, looks = threading.Event(), []

    def look():
        looks.append(1)
        if len(looks) == 3:
            stop.set()
        raise StoreUnavailable("away") if len(looks) == 1 else ValueError("odd")

    country.watch.look = look
    before = telemetry.WATCH_FAILURES._value.get()
    country.watch.run(stop, every_s=0)
    assert len(looks) == 3
    assert telemetry.WATCH_FAILURES._value.get() == before + 3


def test_the_directory_is_read_again_when_it_has_changed(country):
    directory = Organisations(country.stores.policies)
    assert len(directory.directory()) == 0
    body = {"code": "x", "name": "X", "kind": "commune"}
    country.stores.policies.put(Policy(PolicyKind.ORGANISATION, "x", 1, body, "x", 0))
    assert directory.directory().get("x").name == "X"
    assert directory.directory() is directory.directory()


def test_an_outage_is_forgotten_after_four_hundred_days(country):
    day = 1440 * MINUTE
    country.add("portal")
    old = Outage("a" * 24, "portal", "hungyen", START - day, START, ())
    country.stores.outages.open(old)
    country.stores.outages.clear(old.id, START)
    for country.now in (START + day, START + 400 * day):
        country.watch.look()
        assert old.id in {o.id for o in country.stores.outages.list(EVERYTHING, since=0)}
    country.now += day
    country.watch.look()
    assert old.id not in {o.id for o in country.stores.outages.list(EVERYTHING, since=0)}
