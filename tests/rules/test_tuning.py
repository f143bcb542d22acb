"""What becomes of one finding: told of each, and as a batch of them is judged."""

from __future__ import annotations

import pytest

from rules.desk.tuning import Tuning
from soc.model.asked import Bounds
from soc.model.finding import Finding, alert_id
from soc.model.rule import Stage
from soc.model.tuning import OUTSIDE, OrgSetting, RuleException, RuleSetting

OURS = RuleException("ours", "r", "source.ip:203.0.113.7", "our scanner", "lan", frozenset({"hungyen"}))
EVERYBODYS = RuleException("everybodys", "r", "source.ip:203.0.113.7", "a scanner", "lan", expires_at=10)


def finding(event, rule_id="r"):
    alert = alert_id(rule_id, event.org, "x", "2026-03-02")
    return Finding("f", alert, rule_id, "h", event.org, "source.ip", "x", event.ts, event.id, {}, event=event)


@pytest.mark.parametrize(
    ("setting", "off", "stage"),
    [
        (None, False, Stage.LIVE), (RuleSetting("r", Stage.TEST), False, Stage.TEST), (RuleSetting("r", Stage.DRAFT), True, Stage.DRAFT),
        (RuleSetting("r", orgs={"hungyen": OrgSetting(enabled=False)}), True, Stage.LIVE),
        (RuleSetting("r", orgs={"ninhbinh": OrgSetting(enabled=False)}), False, Stage.LIVE),
    ],
)  # fmt: skip
def test_where_a_rule_stands_for_an_organisation(make_event, setting, off, stage):
    tuning = Tuning([setting] if setting else [])
    found = finding(make_event(1))
    fate = tuning.fate(found, 0)
    assert (fate.off, fate.stage, fate.exception) == (off, stage, None)
    assert tuning.judge([found], 0).off == off
    assert not tuning.all_live().fate(found, 0).off or not fate.enabled, "a stage does not matter, a switch does"


def test_what_hides_it_is_its_organisations_own_exception_or_everybodys(make_event):
    tuning = Tuning([RuleSetting("r", Stage.DRAFT)], [EVERYBODYS, OURS])
    ours, theirs = (finding(make_event(1, org, org=org, source__ip="203.0.113.7")) for org in ("hungyen", "ninhbinh"))
    assert tuning.fate(ours, 9).exception is OURS
    assert tuning.fate(theirs, 9).exception is EVERYBODYS
    assert tuning.fate(theirs, 10).exception is None, "it is over"
    assert tuning.fate(finding(make_event(1, source__ip="203.0.113.8")), 9).exception is None
    assert tuning.fate(ours, 9, correlated=True).exception is None, "a correlation is asked what it groups by"


def test_two_tunings_that_say_the_same_of_a_rule_are_alike():
    other = [RuleSetting("s", Stage.TEST), RuleException("x", "s", "source.ip:192.0.2.1", "why", "lan")]
    first = Tuning([RuleSetting("r", level="low")], [OURS, EVERYBODYS])
    second = Tuning([other[0], RuleSetting("r", level="low")], [EVERYBODYS, other[1], OURS])
    assert first.about({"r"}) == second.about({"r"}) != second.about({"r", "s"})
    assert first.about({"r"}) != Tuning([RuleSetting("r")], [OURS, EVERYBODYS]).about({"r"})


def test_a_rule_is_narrowed_for_an_organisation_or_for_all_and_what_is_outside_is_counted(make_event):
    own = {"hungyen": OrgSetting(only="NOT source.ip:203.0.113.0/24")}
    tuning = Tuning([RuleSetting("r", only="url.path:x", orgs=own)])
    assert not tuning.faults
    inside, outside, theirs = (
        finding(make_event(n, org, org=org, source__ip=ip, url__path=path))
        for n, (org, ip, path) in enumerate(
            [("hungyen", "198.51.100.1", "y"), ("hungyen", "203.0.113.7", "x"), ("ninhbinh", "203.0.113.7", "x")]
        )
    )
    judged = tuning.judge([inside, outside, theirs], 0)
    assert judged.kept == [inside, theirs], "the organisation's own counts in place of everybody's"
    assert [(one.exception_id, one.org, one.events) for one in judged.hidden] == [(OUTSIDE, "hungyen", 1)]
    assert tuning.about({"r"}) != Tuning([RuleSetting("r")]).about({"r"})


def test_a_condition_that_cannot_be_read_narrows_nothing_and_is_told(make_event):
    tuning = Tuning([RuleSetting("r", orgs={"hungyen": OrgSetting(only="word")})])
    assert [(fault.rule_id, "narrows it for hungyen" in fault.reason) for fault in tuning.faults] == [("r", True)]
    assert tuning.judge([finding(make_event(1))], 0).kept


def test_bounds_by_organisation_and_what_is_tried_in_their_place():
    own = {"hungyen": OrgSetting(threshold=5), "ninhbinh": OrgSetting(timespan_s=60), "other": OrgSetting(level="low")}
    tuning = Tuning([RuleSetting("r", threshold=9, orgs=own), RuleSetting("s", level="low")])
    assert tuning.bounds == {"r": {"": Bounds(9), "hungyen": Bounds(5), "ninhbinh": Bounds(9, 60)}}
    assert tuning.trying("r", Bounds(20)).bounds["r"] == {"": Bounds(20), "ninhbinh": Bounds(20, 60)}
    assert tuning.trying("new", Bounds(None, 30)).bounds["new"] == {"": Bounds(None, 30)}
    assert tuning.bounds["r"][""] == Bounds(9), "it never changes"
