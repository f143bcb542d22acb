from __future__ import annotations

import re
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.model.event import event_id
from soc.store.elastic import names


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("org", "unit"),
    [
        ("H42", "h42"),
        ("H42.01.003", "h42"),
        ("hungyen", "hungyen"),
        ("bo-cong-an", "bo_2dcong_2dan"),
        ("a_b", "a_5fb"),
        ("Hưng Yên", "h_c6_b0ng_20y_c3_aan"),
        ("", "_"),
        (".x", "_"),
        ("../etc/*?", "_"),
        ("x/*,y", "x_2f_2a_2cy"),
    ],
)
def test_the_unit_of_an_organisation(org, unit):
    assert names.unit(org) == unit


@given(st.text(), st.text())
def test_units_that_differ_never_share_a_name_and_names_are_ones_that_indices_may_have(a, b):
    one, other = names.unit(a), names.unit(b)
    assert re.fullmatch(r"[a-z0-9_]{1,60}", one)
    ours = [x.partition(".")[0].encode(errors="surrogatepass").lower() for x in (a, b)]
    assert (one == other) == (ours[0] == ours[1])


def test_a_very_long_code_is_cut_and_stays_its_own():
    one, other = names.unit("x" * 500 + "a"), names.unit("x" * 500 + "b")
    assert len(one) == len(other) == 60
    assert one != other


def test_places_are_functions_of_what_is_stored():
    at = ms("2026-11-30T23:59:59.999")
    id_ = event_id(at, "portal", "1", "line")
    assert names.events(id_, "H42.01", "nginx.access", "month") == "govsoc-events-web-h42-2026.11"
    assert names.events(id_, "H42", "linux.auth", "day") == "govsoc-events-auth-h42-2026.11.30"
    assert names.events(id_, "H42", "otp.gateway", "week") == "govsoc-events-gateway-h42-2026.w49"
    assert names.events(id_, "H42", "syslog", "month") == "govsoc-events-other-h42-2026.11"
    assert names.events(event_id(0, "portal", "1", ""), "H42", "syslog", "month") == "govsoc-events-quarantine-h42"
    assert names.findings("H42", at + 1, "month") == "govsoc-findings-h42-2026.12"
    assert names.findings("H42", 0, "month") == "govsoc-findings-h42-undated"
    assert names.alerts("H42.7") == "govsoc-alerts-h42"
    assert names.triage("H42.7") == "govsoc-triage-h42"
    assert names.parts(names.INCIDENTS) == names.Parts("incidents")
    assert names.audit(at, "month") == "govsoc-audit-2026.11"


ALL = [
    names.events(event_id(at, "s", "1", ""), org, dataset, by)
    for at in (0, ms("2026-11-30"))
    for org in ("H42", "H42-X", "H4", "X.H42", "web")
    for dataset in ("nginx.access", "syslog")
    for by in ("day", "week", "month")
]


def test_a_pattern_covers_its_unit_and_no_other():
    for org in ("H42", "H42-X", "H4", "X", "web"):
        patterns = names.patterns("events", [org])
        covered = {index for index in ALL if any(fnmatchcase(index, pattern) for pattern in patterns)}
        assert covered == {index for index in ALL if names.parts(index).unit == names.unit(org)}
        assert covered
    assert names.patterns("events", None) == ["govsoc-events-*"]
    assert names.patterns("alerts", ["H42.1", "H42.2"]) == ["govsoc-alerts-h42"]
    assert names.patterns("findings", ["H42"]) == ["govsoc-findings-h42-*"]
    assert names.patterns("events", []) == []
    assert names.patterns("events", [f"H{i}" for i in range(60)]) == ["govsoc-events-*"]


@pytest.mark.parametrize(
    ("by", "at", "end"),
    [
        ("day", "2026-02-28T12:00", "2026-03-01"),
        ("month", "2026-01-31T12:00", "2026-02-01"),
        ("month", "2026-12-01", "2027-01-01"),
        ("week", "2026-12-31", "2027-01-04"),
        ("week", "2027-01-01", "2027-01-04"),
    ],
)
def test_the_end_of_a_period_is_read_from_the_name(by, at, end):
    found = names.parts(names.events(event_id(ms(at), "s", "1", ""), "H42", "syslog", by))
    assert (found.kind, found.data_class, found.unit, found.end) == ("events", "other", "h42", ms(end))
    assert names.period(found.end - 1, by) == found.period != names.period(found.end, by)


@pytest.mark.parametrize(
    "index",
    ["govsoc", "govsoc-events-web-h42", "other-events-web-h42-2026.11", ".security-7", "govsoc-events-web-h42-a-b"],
)
def test_foreign_indices_are_left_alone(index):
    assert names.parts(index) is None


def test_a_period_that_is_none_has_no_end():
    for text in ("undated", "2026.13", "2026.w60", "2026", "x"):
        assert names.parts(f"govsoc-findings-h42-{text}").end is None
