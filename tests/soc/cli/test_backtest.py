"""`soc rules backtest` on a terminal: what is shown of tuning, and what it lets one do afterwards."""

from __future__ import annotations

import time

import orjson
import pytest
from typer.testing import CliRunner

from api.errors import NeedsReason
from soc.buffer.sqlite import EventLog
from soc.cli import build
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc
from soc.model.tuning import RuleException, RuleSetting, exception_body, setting_body
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir, open_stores

RULE = """
title: Everything with SELECT
id: 8a5dd60a-1b43-4d0a-9e9b-2f0e4b3f54aa
logsource: {category: webserver}
detection: {selection: {url.query|contains: SELECT}, condition: selection}
level: low
"""
ID = "8a5dd60a-1b43-4d0a-9e9b-2f0e4b3f54aa"
DAY = 86_400_000


@pytest.fixture
def soc(tmp_path, make_event):
    """A rule's file, and two days of what it finds: the scanner's, and one of somebody else."""
    (tmp_path / "rule.yml").write_text(RULE)
    log = EventLog(events_dir(tmp_path))
    for number, ip in enumerate(["203.0.113.7"] * 5 + ["198.51.100.9"]):
        at = int(time.time() * 1000) - 2 * DAY + number
        log.append([make_event(at, str(number), source__ip=ip, url__query="1 UNION SELECT 1")])
    log.close()

    def run(*arguments):
        return CliRunner().invoke(build("rules"), ["rules", *arguments, "--data-dir", str(tmp_path)])

    return run


def test_what_exceptions_hide_and_which_level_it_would_have_is_shown(soc, tmp_path):
    policies = open_stores(tmp_path).policies
    exception = exception_body(RuleException("ours", ID, "source.ip:203.0.113.7", "our scanner", "lan"))
    policies.put(Policy(PolicyKind.EXCEPTION, "ours", 1, exception, "lan", 0))
    policies.put(Policy(PolicyKind.RULE, ID, 1, setting_body(RuleSetting(ID, level="high")), "lan", 0))
    policies.put(Policy(PolicyKind.EXCEPTION, "unread", 1, {"a": 1}, "lan", 0))
    shown = soc("backtest", str(tmp_path / "rule.yml"), "--days", "5")
    assert "high 1" in shown.stdout
    assert ["ours", "5"] in [line.split() for line in shown.stdout.splitlines()]
    assert "left out: exception unread" in shown.stderr
    outcome = orjson.loads(soc("backtest", str(tmp_path / "rule.yml"), "--days", "5", "--json").stdout)
    assert (outcome["alerts"], outcome["levels"], outcome["hidden"]) == (1, {"high": 1}, {"ours": 5})


def test_a_draft_goes_live_once_it_has_been_tried_here(soc, tmp_path):
    from rules.load.folders import loads

    [rule] = loads(RULE, "rule").rules
    detections = SqliteDetections(tmp_path)
    detections.publish([RuleDoc(ID, rule.hash, "x", "low", RULE)], [])
    detections.close()
    assert soc("stage", ID, "draft", "-m", "new").exit_code == 0
    assert isinstance(soc("stage", ID, "live", "-m", "good").exception, NeedsReason)
    assert soc("backtest", str(tmp_path / "rule.yml"), "--days", "5", "--org", "hungyen").exit_code == 0
    assert isinstance(soc("stage", ID, "live", "-m", "good").exception, NeedsReason), "of one organisation only"
    assert soc("backtest", str(tmp_path / "rule.yml"), "--days", "5").exit_code == 0
    assert soc("stage", ID, "live", "-m", "good").exit_code == 0
