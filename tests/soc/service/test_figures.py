"""The figures for dashboards, on real stores: what they say is what the stores hold, and units are bounded."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import date

import pytest
from opened import commit, finding, open_sqlite
from prometheus_client import REGISTRY

from soc import telemetry
from soc.errors import StoreUnavailable
from soc.model.alert import Decision, Status, Verdict
from soc.model.incident import Incident
from soc.model.org import Organisation, OrgKind
from soc.model.rule import LogSource, RuleDoc
from soc.model.source import Source, Transport
from soc.service.figures import Figures, _bounded, _show
from soc.service.organisations import keep

FIGURES = (telemetry.ALERTS_OPEN, telemetry.ALERTS_OLD, telemetry.ALERTS_CLOSED, telemetry.RULE_ALERTS)
HOUR, NOW = 3_600_000, 1_772_452_800_000


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


@pytest.fixture
def opened(tmp_path):
    yield open_sqlite(tmp_path)
    for gauge in (*FIGURES, telemetry.SOURCES, telemetry.INCIDENTS_OPEN):
        gauge.clear()


def test_what_is_open_closed_and_how_old_is_told_by_unit(opened, make_event):
    opened.detections.publish(
        [RuleDoc("r-1", "hash-1", "SSH brute force", "high", "", logsources=(LogSource("linux"),))], []
    )
    orgs = ("hungyen.pholien", "hungyen.tanthuan", "ninhbinh")
    alerts = [
        alert
        for n, org in enumerate(orgs)
        for alert in commit(opened, [finding(make_event(NOW, str(n), org=org))], now=NOW - 2 * HOUR)
    ]
    opened.stores.triage.change(alerts[2], Decision(status=Status.CLOSED, verdict=Verdict.BENIGN), by="lan", now=NOW)
    incident = Incident("0" * 24, "one", ("hungyen.pholien", "hungyen.tanthuan"), NOW, "lan", NOW, "lan")
    opened.stores.incidents.create(incident, by="lan")
    for n, org in enumerate(orgs):
        opened.stores.sources.add(Source(f"s{n}", "s", org, "nginx.access", Transport.FILE), None, by="t")
    figures = Figures(opened.stores, lambda: NOW)
    figures.look()
    assert value("soc_alerts_open", unit="hungyen", level="high") == 2
    assert value("soc_alerts_open", unit="ninhbinh", level="high") is None
    assert [value("soc_alerts_open_older", than=age) for age in ("1h", "4h")] == [2, 0]
    assert value("soc_alerts_closed", verdict="benign") == 1
    assert value("soc_rule_alerts", rule="r-1", title="SSH brute force", logs="linux") == 3
    assert value("soc_incidents_open", unit="hungyen") == 1
    assert value("soc_sources", unit="hungyen", state="never_seen") == 2
    assert value("soc_sources", unit="hungyen", state="live") == 0, "a share of it is 0, and not unknown"
    for alert in alerts[:2]:
        opened.stores.triage.change(alert, Decision(status=Status.CLOSED, verdict=Verdict.BENIGN), by="lan", now=NOW)
    figures.look()
    assert value("soc_alerts_open", unit="hungyen", level="high") is None, "what is over is not shown any more"


def test_a_province_that_nobody_has_connected_has_a_tile(opened):
    orgs = [
        Organisation("caobang", "Cao Bằng", OrgKind.PROVINCE),
        Organisation("bonoivu", "Bộ Nội vụ", OrgKind.MINISTRY),
        Organisation("hatay", "Hà Tây", OrgKind.PROVINCE, valid_to=date(2008, 7, 31), successor="caobang"),
    ]
    keep(opened.stores.policies, orgs, by="t", now=NOW, reason="a directory")
    Figures(opened.stores, lambda: NOW).look()
    assert value("soc_sources", unit="caobang", state="live") == 0
    assert [value("soc_sources", unit=unit, state="live") for unit in ("bonoivu", "hatay")] == [None, None]


def test_units_are_bounded():
    rows = _bounded(Counter({(f"unit{n}", "high"): n + 1 for n in range(3_321)}))
    assert len(rows) == 101
    assert sum(rows.values()) == sum(range(1, 3_322))
    assert ("unit3320", "high") in rows


def test_a_scrape_while_figures_change_misses_none_that_stays():
    seen = []

    class Rows(dict):
        def items(self):
            seen.append(value("soc_sources", unit="hungyen", state="silent"))
            return super().items()

    _show(telemetry.SOURCES, {("hungyen", "silent"): 2, ("ninhbinh", "live"): 1})
    _show(telemetry.SOURCES, Rows({("hungyen", "silent"): 3}))
    assert seen == [2]
    assert value("soc_sources", unit="hungyen", state="silent") == 3
    assert value("soc_sources", unit="ninhbinh", state="live") is None


def test_the_thread_looks_at_once_and_goes_on_whatever_a_look_meets(opened):
    figures, stop, looks = Figures(opened.stores, lambda: NOW), threading.Event(), []

    def look():
        looks.append(1)
        if len(looks) == 3:
            stop.set()
        raise StoreUnavailable("away") if len(looks) == 1 else ValueError("odd")

    figures.look = look
    before = telemetry.FIGURES_FAILURES._value.get()
    figures.run(stop, every_s=0)
    assert len(looks) == 3
    assert telemetry.FIGURES_FAILURES._value.get() == before + 3
