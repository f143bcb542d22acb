"""Faults reach those whom they are about, at the time that the truth says, and nobody else."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from functools import cache
from statistics import median

import pytest

from soc.simulator import KINDS, Entry, Planned, Rates, World, portal
from soc.simulator.behaviours import BEHAVIOURS
from soc.simulator.faults import FAULTS
from soc.simulator.line import DAY_MS, HOUR_MS, MINUTE_MS, ZONE

MONDAY_8 = int(datetime(2026, 3, 2, 8, tzinfo=ZONE).timestamp() * 1000)
NINE = MONDAY_8 + HOUR_MS
OTP, LGSP, PORTAL = (
    Rates(0, 0, 1500, 0, 0, 0, 0, 0),
    Rates(0, 0, 0, 2000, 400, 0, 0, 0),
    Rates(300, 0, 0, 0, 0, 0, 0, 0),
)
FEW = Rates().times(0.2)


def entries(rates: Rates, *plan: Planned, hours: float = 2.5, seed: int = 3) -> list[Entry]:
    return list(World(seed, MONDAY_8, rates, plan).entries(MONDAY_8 + int(hours * HOUR_MS)))


@cache
def undisturbed() -> tuple[tuple[str, int, str], ...]:
    """A morning without a fault: stream, time and text of each line. Each of the faults below is held against it."""
    return tuple((entry.stream, entry.at, repr(entry)) for entry in entries(FEW))


def during(entries: list[Entry], start: int, minutes: float, **fields: object) -> list[Entry]:
    return [
        entry
        for entry in entries
        if start <= entry.at < start + minutes * MINUTE_MS and all(entry.fields[k] == v for k, v in fields.items())
    ]


def share(entries: list[Entry], name: str, *values: object) -> float:
    return sum(entry.fields[name] in values for entry in entries) / len(entries)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("surge",)])
def test_the_same_seed_gives_the_same_and_others_are_as_they_were(kind):
    plan, world = Planned(NINE, kind), World(3, MONDAY_8, FEW, [Planned(NINE, kind)])
    with_it = list(world.entries(MONDAY_8 + int(2.5 * HOUR_MS)))
    assert with_it == entries(FEW, plan)
    ordinary = [text for _, at, text in undisturbed() if at < NINE]
    assert [repr(entry) for entry in with_it if entry.at < NINE] == ordinary
    assert world.incidents
    streams = {incident.stream for incident in world.incidents} | {"nginx.error", "nginx.access"}
    untouched = [text for stream, _, text in undisturbed() if stream not in streams]
    assert [repr(entry) for entry in with_it if entry.stream not in streams] == untouched


def _truth(rates: Rates, *plan: Planned):
    world = World(3, MONDAY_8, rates, plan)
    for _ in world.entries(MONDAY_8 + 3 * HOUR_MS):
        pass
    return world.incidents


@pytest.mark.parametrize("kind", [*FAULTS, *BEHAVIOURS])
def test_the_truth_says_when_where_and_what(kind):
    [incident] = _truth(Rates().times(0.02), Planned(NINE, kind))
    assert incident.kind == kind
    assert NINE <= incident.start < incident.end
    assert incident.component in ("portal", "otp", "lgsp", "servers")
    assert incident.feature
    assert incident.org == "hungyen"
    assert incident.expect == {"collector_outage": "silent", "surge": "none", "merge": "none"}.get(kind, "anomaly")


def test_otp_loss_takes_its_share_of_one_carrier_and_is_tried_again():
    out = entries(OTP, Planned(NINE, "otp_loss", {"carrier": "viettel", "share": 0.3, "minutes": 60}))
    receipts = during(out, NINE + 2 * MINUTE_MS, 55, event="dlr")
    of = {name: [e for e in receipts if e.fields["carrier"] == name] for name in ("viettel", "vinaphone", "mobifone")}
    assert 0.25 < 1 - share(of["viettel"], "status", "DELIVRD") < 0.4
    assert all(share(of[name], "status", "DELIVRD") > 0.95 for name in ("vinaphone", "mobifone"))
    lost = {e.fields["request_id"] for e in of["viettel"] if e.fields["status"] != "DELIVRD"}
    assert not [e for e in out if e.fields["event"] == "verify" and e.fields["request_id"] in lost]
    assert share(during(out, NINE, 60, event="request", carrier="viettel"), "attempt", 2) > 0.05
    assert share(during(out, NINE + 65 * MINUTE_MS, 20, event="dlr"), "status", "DELIVRD") > 0.95


def test_late_codes_are_late_at_one_carrier():
    out = entries(OTP, Planned(NINE, "otp_late_codes", {"carrier": "vinaphone", "factor": 5}))

    def took(name: str, start: int) -> float:
        return median(e.fields["latency_ms"] for e in during(out, start, 50, event="dlr", carrier=name))

    assert 4 < took("vinaphone", NINE + 5 * MINUTE_MS) / took("vinaphone", MONDAY_8) < 6
    assert 0.9 < took("viettel", NINE + 5 * MINUTE_MS) / took("viettel", MONDAY_8) < 1.1


def test_verify_failures():
    out = entries(OTP, Planned(NINE, "otp_verify_failures", {"share": 0.4}))
    assert 0.5 < share(during(out, NINE, 60, event="verify"), "status", "ok") < 0.65
    assert share(during(out, MONDAY_8, 59, event="verify"), "status", "ok") > 0.9


def test_a_slow_provider_takes_twice_as_long():
    out = entries(LGSP, Planned(NINE, "lgsp_slow", {"provider": "CSDLQG-DANCU", "factor": 2}))

    def took(start: int, provider: str) -> float:
        return median(e.fields["duration_ms"] for e in during(out, start, 55, provider=provider))

    assert 1.8 < took(NINE, "CSDLQG-DANCU") / took(MONDAY_8, "CSDLQG-DANCU") < 2.2
    assert 0.85 < took(NINE, "DVCQG") / took(MONDAY_8, "DVCQG") < 1.15


@pytest.mark.parametrize(
    ("kind", "name", "value", "status", "least"),
    [
        ("lgsp_timeouts", "provider", "DATDAI-HY", 504, 0.3),
        ("lgsp_certificate", "provider", "HOTICH-BTP", 500, 0.99),
        ("lgsp_quota", "consumer", "CU-DVC", 429, 0.4),
        ("lgsp_link_flaps", "provider", "TRUCVB", 502, 0.3),
    ],
)
def test_calls_fail_where_the_fault_is(kind, name, value, status, least):
    out = entries(LGSP, Planned(NINE, kind, {name: value, "minutes": 60}))
    assert share(during(out, NINE, 60, **{name: value}), "status", status) > least
    others = [e for e in during(out, NINE, 60) if e.fields[name] != value]
    assert share(others, "status", 200) > 0.95
    assert share(during(out, MONDAY_8, 59), "status", 200) > 0.95


def test_duplicates_have_the_same_correlation_id():
    out = entries(LGSP, Planned(NINE, "lgsp_duplicates", {"share": 0.5}))
    calls = Counter(e.fields["correlation_id"] for e in during(out, NINE, 55, consumer="CU-DVC"))
    assert 0.4 < sum(n == 2 for n in calls.values()) / len(calls) < 0.6
    assert set(Counter(e.fields["correlation_id"] for e in during(out, MONDAY_8, 59)).values()) == {1}


def test_portal_errors_and_slow_pages():
    failing = during(entries(PORTAL, Planned(NINE, "portal_errors", {"share": 0.3})), NINE, 25)
    pages = [e for e in failing if e.stream == "nginx.access"]
    assert 0.25 < share(pages, "status", 500, 502, 503) < 0.35
    slow = entries(PORTAL, Planned(NINE, "portal_slow", {"factor": 3}))

    def took(start: int) -> float:
        return median(e.fields["seconds"] for e in during(slow, start, 59) if e.fields.get("seconds", 0) > 0.02)

    assert 2.5 < took(NINE) / took(MONDAY_8) < 3.5


def test_the_pages_of_one_procedure_fail_and_no_other_does():
    plan = Planned(NINE, "procedure_errors", {"procedure": "1.004008", "share": 0.9, "minutes": 60})
    pages = [e for e in during(entries(PORTAL, plan), NINE, 60) if e.stream == "nginx.access"]
    of = [e for e in pages if e.fields["target"] == "/thu-tuc/1.004008"]
    assert len(of) > 5
    assert share(of, "status", 500, 502, 504) > 0.6
    assert share([e for e in pages if e not in of], "status", 200, 201, 302) > 0.95
    [incident] = _truth(FEW, Planned(NINE, "procedure_errors"))
    assert incident.who["govsoc.procedure.code"] in portal.CODES
    assert (incident.feature, incident.component) == ("procedure.error_ratio", "portal")


@pytest.mark.parametrize("measure", ["success", "latency"])
def test_a_slow_leak_grows_by_its_share_a_day(measure):
    how = {"provider": "DVCQG", "measure": measure, "percent": 2, "days": 10}
    out = entries(Rates(0, 0, 0, 300, 0, 0, 0, 0), Planned(MONDAY_8, "slow_leak", how), hours=10 * 24)

    def worse(day: int) -> float:
        of = during(out, MONDAY_8 + day * DAY_MS, 24 * 60, provider="DVCQG")
        if measure == "success":
            return 1 - share(of, "status", 200)
        return median(e.fields["backend_ms"] for e in of) / 300 - 1

    late, early = (sum(worse(day) for day in days) / 3 for days in ((6, 7, 8), (0, 1, 2)))
    assert 0.06 < late - early < 0.19


def test_nothing_of_a_source_arrives_in_an_outage_of_its_collector():
    out = entries(OTP, Planned(NINE, "collector_outage", {"minutes": 45, "stream": "otp.gateway"}))
    assert not during(out, NINE, 45)
    assert during(out, NINE + 45 * MINUTE_MS, 5)


def test_a_surge_brings_three_times_as_many_and_leaves_the_others_as_they_are():
    plan = Planned(NINE, "surge", {"system": "otp", "factor": 3, "hours": 1})
    plain, surged = entries(OTP), entries(OTP, plan)
    assert 2.7 < len(during(surged, NINE, 60, event="request")) / len(during(plain, NINE, 60, event="request")) < 3.3
    assert {repr(e) for e in plain} <= {repr(e) for e in surged}


def test_a_merge_moves_the_calls_of_a_commune_to_the_other():
    plain, merged = entries(LGSP), entries(LGSP, Planned(NINE, "merge", {"commune": "H27.21", "into": "H27.25"}))
    was, now = (Counter(e.fields["consumer_org"] for e in during(out, NINE, 90)) for out in (plain, merged))
    assert was["H27.21"] > 0
    assert now["H27.21"] == 0
    assert now["H27.25"] == was["H27.21"] + was["H27.25"]


def test_an_officer_reads_five_times_as_many_as_on_other_days():
    plan = Planned(MONDAY_8, "officer_reads_many")
    world = World(8, MONDAY_8 - HOUR_MS, Rates(0, 0, 0, 0, 220, 0, 0, 0), [plan])
    per_day: dict[int, set[object]] = {}
    out = [*world.entries(MONDAY_8 + 4 * DAY_MS)]
    name = world.incidents[0].who["user.id"]
    for entry in out:
        if entry.fields.get("user") == name:
            per_day.setdefault((entry.at - MONDAY_8) // DAY_MS, set()).add(entry.fields["subject"])
    others = [len(per_day.get(day, ())) for day in (1, 2, 3)]
    assert len(per_day[0]) > 3 * max(others)
    assert max(others) > 3
