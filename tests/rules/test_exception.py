"""Conditions of exceptions: what is narrow enough, what is refused, and that hostile ones cost nothing."""

from __future__ import annotations

from datetime import UTC

import pytest

from rules.desk.exception import compiled, fields
from rules.desk.tuning import Tuning
from soc.errors import ConfigError, QueryError
from soc.model.finding import Finding, alert_id
from soc.model.org import Scope
from soc.model.rule import Stage
from soc.model.tuning import (
    OrgSetting,
    RuleException,
    RuleSetting,
    exception_body,
    exception_of,
    setting_body,
    setting_of,
)


@pytest.mark.parametrize(
    "condition",
    [
        "source.ip:10.0.0.5",
        "source.ip:10.0.0.0/8 AND NOT url.path:/admin",
        'user_agent.original:"Nessus 10"',
        "url.path:/health*",
        "http.response.status_code:[400 TO 499]",
        "source.ip:(10.0.0.1 OR 10.0.0.2)",
        "organization.id:hungyen user.name:backup",
    ],
)
def test_what_asks_a_field_for_a_value_is_an_exception(condition):
    assert fields(compiled(condition, UTC))


@pytest.mark.parametrize(
    "condition",
    [
        "", "   ", "*", "*:*", "scanner", "source.ip:*", "_exists_:source.ip", "NOT source.ip:10.0.0.5", "source.ip:10.0.0.5 OR scanner",
        "source.ip:10.0.0.5 OR url.path:*", "url.path:**", "url.path:?*", "source.ip:0.0.0.0/0", "organization.id:hungyen",
        "event.dataset:nginx.access", "@timestamp:>=2026-03-02", "source.ip:10.0.0.5 OR NOT user.name:lan", "user.name:/.*/",
        "source.ip:10.0.0.5 AND", "(" * 500 + "a:b" + ")" * 500, "a:b " * 501, " OR ".join(["user.name:x"] * 201), "user.name:\ud800",
    ],
)  # fmt: skip
def test_what_would_hide_everything_or_cannot_be_read_is_refused(condition):
    with pytest.raises(QueryError):
        compiled(condition, UTC)


def finding(event, rule_id="r"):
    alert = alert_id(rule_id, event.org, "x", "2026-03-02")
    return Finding("f", alert, rule_id, "h", event.org, "source.ip", "x", event.ts, event.id, {}, event=event)


def test_a_hostile_wildcard_is_linear_in_the_value(make_event):
    exception = RuleException("x", "r", "url.path:" + "*a" * 400 + "b", "why", "lan")
    event = make_event(1_772_452_800_000, url__path="a" * 200_000)
    assert Tuning([], [exception]).judge([finding(event)], 0).kept  # a backtracking match would never end


def test_an_exception_that_cannot_be_read_is_left_out_and_told(make_event):
    tuning = Tuning(
        [], [RuleException("bad", "r", "*", "why", "lan"), RuleException("good", "r", "url.path:/x", "w", "l")]
    )
    assert [fault.rule_id for fault in tuning.faults] == ["r"]
    assert "exception bad" in tuning.faults[0].reason
    judged = tuning.judge([finding(make_event(1, url__path=path)) for path in ("/x", "/y")], 0)
    assert ([one.exception_id for one in judged.hidden], len(judged.kept)) == (["good"], 1)


def test_an_exception_holds_in_its_organisations(make_event):
    tuning = Tuning([], [RuleException("x", "r", "url.path:/x", "why", "lan", orgs=frozenset({"hungyen"}))])
    found = [finding(make_event(1, org, org=org, url__path="/x")) for org in ("hungyen", "ninhbinh")]
    assert [one.org for one in tuning.judge(found, 0).kept] == ["ninhbinh"]


def test_bodies_come_back_as_they_were():
    setting = RuleSetting("r", Stage.TEST, "low", {"hungyen": OrgSetting(False), "ninhbinh": OrgSetting(level="high")})
    assert setting_of("r", setting_body(setting)) == setting
    assert setting.inside(Scope(frozenset({"hungyen"}))).orgs == {"hungyen": OrgSetting(False)}
    exception = RuleException("x", "r", "a:b", "why", "lan", frozenset({"hungyen"}), 5, "a" * 24, "known")
    assert exception_of("x", exception_body(exception)) == exception


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "stage"), ({"stage": "off"}, "stage"), ({"stage": "live", "level": "huge"}, "level"), ({"stage": "live", "x": 1}, "'x'"),
        ({"stage": "live", "orgs": []}, "orgs"), ({"stage": "live", "orgs": {"h": {"enabled": 1}}}, "enabled"),
        ({"stage": "live", "orgs": {"h": 1}}, "h"), ({"stage": "live", "orgs": {"h": {"stage": "test"}}}, "stage"),
    ],
)  # fmt: skip
def test_a_setting_that_is_wrong_names_the_field(body, named):
    with pytest.raises(ConfigError, match=named):
        setting_of("r", body)


@pytest.mark.parametrize(
    ("field", "value"),
    [("orgs", "all"), ("orgs", [1]), ("expires_at", "tomorrow"), ("expires_at", True), ("condition", ""), ("reason", " "),
     ("owner", None), ("rule_id", 5), ("condition", "x" * 2001), ("created_from", "x" * 25), ("what", 1)],
)  # fmt: skip
def test_an_exception_that_is_wrong_names_the_field(field, value):
    body = exception_body(RuleException("x", "r", "a:b", "why", "lan"))
    with pytest.raises(ConfigError, match=field):
        exception_of("x", body | {field: value})
