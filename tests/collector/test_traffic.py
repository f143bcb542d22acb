"""Figures for dashboards: what is counted of an event, and that no log can make labels without end."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from collector.traffic import Names, Traffic, _of
from soc import telemetry
from soc.model.event import Event

_BY_UNIT = (telemetry.TRAFFIC, telemetry.PORTAL, telemetry.PORTAL_SECONDS, telemetry.OTP, telemetry.LGSP)


def event(dataset: str, org: str = "hungyen.pholien", **fields) -> Event:
    return Event("0" * 32, 1, org, dataset, {name.replace("__", "."): value for name, value in fields.items()})


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("one", "name", "labels"),
    [
        (event("nginx.access"), "soc_traffic_events_total", {"unit": "hungyen", "dataset": "nginx.access"}),
        (
            event("nginx.access", http__response__status_code=503),
            "soc_portal_requests_total",
            {"unit": "hungyen", "status": "5xx"},
        ),
        (
            event("apache.access", http__response__status_code="x"),
            "soc_portal_requests_total",
            {"unit": "hungyen", "status": "other"},
        ),
        (event("nginx.access", event__duration=7e8), "soc_portal_request_seconds_count", {"unit": "hungyen"}),
        (
            event("otp.gateway", govsoc__otp__event="request", event__outcome="success"),
            "soc_otp_events_total",
            {"unit": "hungyen", "event": "request", "outcome": "success"},
        ),
        (
            event("otp.gateway", govsoc__otp__event="dlr", event__outcome="failure", govsoc__otp__carrier="viettel"),
            "soc_otp_receipts_total",
            {"carrier": "viettel", "outcome": "failure"},
        ),
        (
            event("lgsp.gateway", govsoc__lgsp__service_code="DC01", event__outcome="success"),
            "soc_lgsp_service_calls_total",
            {"service": "DC01", "outcome": "success"},
        ),
        (
            event("lgsp.gateway", event__outcome=["odd"]),
            "soc_lgsp_calls_total",
            {"unit": "hungyen", "outcome": "other"},
        ),
    ],
)
def test_each_system_is_counted(one, name, labels):
    before = value(name, **labels)
    Traffic().count(one)
    assert value(name, **labels) == before + 1


def test_durations_are_in_seconds_and_odd_ones_are_left_out():
    labels = {"service": "DC77"}
    for duration in (5e8, -1.0, 1e16, "1", None):
        Traffic().count(event("lgsp.gateway", govsoc__lgsp__service_code="DC77", event__duration=duration))
    assert (value("soc_lgsp_call_seconds_sum", **labels), value("soc_lgsp_call_seconds_count", **labels)) == (0.5, 1)


def test_a_dead_letter_is_no_traffic():
    before = value("soc_traffic_events_total", unit="hungyen", dataset="nginx.access")
    Traffic().count(event("nginx.access", event__kind="pipeline_error"))
    assert value("soc_traffic_events_total", unit="hungyen", dataset="nginx.access") == before


def test_no_log_makes_labels_without_end():
    traffic = Traffic()
    for n in range(3321):
        traffic.count(event("lgsp.gateway", f"u{n}.c{n}", govsoc__lgsp__service_code=f"s{n}", event__duration=1e9))
        traffic.count(event(f"d{n}", f"u{n}"))
        traffic.count(
            event("otp.gateway", govsoc__otp__event="dlr", event__outcome="failure", govsoc__otp__carrier=f"c{n}")
        )
    metrics = (telemetry.TRAFFIC, telemetry.LGSP, telemetry.LGSP_SERVICE, telemetry.LGSP_SECONDS, telemetry.OTP_CARRIER)
    series = [len(list(family.samples)) for metric in metrics for family in metric.collect()]
    assert all(number < 9_000 for number in series), series
    services = {sample.labels["service"] for family in telemetry.LGSP_SERVICE.collect() for sample in family.samples}
    assert "other" in services
    assert len(services) < 70


def test_the_traffic_of_all_communes_has_few_series():
    """Each with a portal, a gateway of one-time codes and an LGSP, and of each all that it may say."""
    _of.cache_clear()
    metrics = (*_BY_UNIT, telemetry.LGSP_SERVICE, telemetry.LGSP_SECONDS, telemetry.OTP_CARRIER)
    for metric in metrics:
        metric.clear()
    traffic = Traffic()
    for n in range(3321):
        org, carrier, service = f"province{n % 34}.commune{n}", f"carrier{n % 5}", f"DC{n % 40}"
        for status in (101, 200, 302, 404, 503):
            traffic.count(event("nginx.access", org, http__response__status_code=status, event__duration=1e8))
        for outcome in ("success", "failure"):
            traffic.count(
                event(
                    "lgsp.gateway", org, govsoc__lgsp__service_code=service, event__outcome=outcome, event__duration=1e8
                )
            )
            for step in ("request", "submit", "dlr", "verify"):
                traffic.count(
                    event(
                        "otp.gateway",
                        org,
                        govsoc__otp__event=step,
                        event__outcome=outcome,
                        govsoc__otp__carrier=carrier,
                    )
                )
    series = {metric.describe()[0].name: sum(len(f.samples) for f in metric.collect()) for metric in metrics}
    assert value("soc_portal_requests_total", unit="province33", status="5xx") == 3321 // 34
    assert sum(series.values()) <= 3_000, series


def test_the_certificate_that_ends_first_counts():
    traffic = Traffic()

    def left(target: str, days: int | None) -> float:
        fields = {"govsoc__probe__target": target} | ({} if days is None else {"govsoc__probe__days_left": days})
        traffic.count(event("probe.check", "unit-of-probes", **fields))
        return value("soc_probe_certificate_left_seconds", unit="unit-of-probes") / 86_400

    assert [left("a", 90), left("b", 12), left("a", 89), left("c", None), left("b", 365)] == [90, 12, 12, 12, 89]


def test_the_first_names_stay():
    names = Names(2)
    assert [names.of(one) for one in ("a", "b", "c", "a", "", None, ["x"])] == [
        "a",
        "b",
        "other",
        "a",
        "other",
        "other",
        "other",
    ]


def test_no_unit_takes_the_room_of_all():
    names = Names(6, each=2)
    assert [names.of(f"made-up-{n}", "hungyen") for n in range(3)] == ["made-up-0", "made-up-1", "other"]
    assert names.of("DC01", "ninhbinh") == "DC01"
    assert names.of("DC01", "hungyen") == "DC01", "what is known is known to all"


def test_a_carrier_that_never_delivered_has_a_share_of_nought():
    carrier = "carrier-that-fails"
    dlr = {"govsoc__otp__event": "dlr", "govsoc__otp__carrier": carrier}
    Traffic().count(event("otp.gateway", event__outcome="failure", **dlr))
    found = {
        one: REGISTRY.get_sample_value("soc_otp_receipts_total", {"carrier": carrier, "outcome": one})
        for one in ("success", "failure")
    }
    assert found == {"success": 0.0, "failure": 1.0}


def test_an_expired_certificate_is_known_and_what_is_probed_no_more_is_forgotten():
    traffic, unit = Traffic(), "unit-of-expired"

    def left(target: str, ts: int, **fields) -> float:
        traffic.count(event("probe.check", unit, govsoc__probe__target=target, **fields)._replace(ts=ts))
        return value("soc_probe_certificate_left_seconds", unit=unit) / 86_400

    assert left("old", 1, error__message="certificate: certificate has expired") == -1
    assert left("new", 2, govsoc__probe__days_left=80) == -1
    assert left("new", 86_400_001, govsoc__probe__days_left=79) == 79
