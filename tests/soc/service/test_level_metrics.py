"""Metrics of service levels: as many as fit, and those that burn of the rest."""

from __future__ import annotations

import math

import pytest
from prometheus_client import REGISTRY

from soc.model.service_level import Blame, Burning, Place, ServiceLevel
from soc.service.level_metrics import LevelMetrics

GOOD = "soc_observer_level_good_ratio"


def level(org: str, severity: str | None = None, name: str = "otp-delivered", burn: float | None = 1.0) -> ServiceLevel:
    burning = severity and Burning(f"{org} {severity}", severity, 0, Place(Blame.UNKNOWN), {})
    return ServiceLevel(org, "otp", name, {}, "success", 0.97, 28, 0, 0, 1000, 15, burn, burning=burning or None)


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def shown() -> set[str]:
    """Of these tests: others in this process leave theirs."""
    found = {one.labels["org"] for metric in REGISTRY.collect() if metric.name == GOOD for one in metric.samples}
    return {org for org in found if org.startswith("H")}


@pytest.fixture
def metrics():
    made = LevelMetrics(most=50)
    yield made
    made.show([], 0)


def test_a_province_is_shown_in_full(metrics):
    metrics.show([level("H42"), level("H50", "page"), level("H60", burn=None)], 7)
    assert value(GOOD, org="H42", slo="otp-delivered") == pytest.approx(0.985)
    assert value("soc_observer_level_budget_left_ratio", org="H42", slo="otp-delivered") == pytest.approx(0.5)
    assert math.isnan(value("soc_observer_level_burn_ratio", org="H60", slo="otp-delivered"))
    assert value("soc_observer_levels_burning", severity="page") == 1
    assert value("soc_observer_levels_ahead_events_total") == 7


def test_of_all_communes_only_what_burns_is_shown_and_both_counts_are_told(metrics):
    levels = [level(f"H{number}", "ticket" if number % 20 == 0 else None) for number in range(3321)]
    levels += [level("H99.99", "page")]
    metrics.show(levels, 0)
    assert len(shown()) == 50
    assert "H99.99" in shown(), "who has to be called comes first"
    assert value("soc_observer_levels") == 3322
    assert value("soc_observer_levels_shown") == 50
    assert value("soc_observer_levels_burning", severity="ticket") == 167


def test_what_is_gone_is_no_metric_any_more(metrics):
    metrics.show([level("H42"), level("H50")], 0)
    metrics.show([level("H50")], 0)
    assert shown() == {"H50"}
