"""Triage from a terminal: what comes from logs is shown, never interpreted."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner
from unusual_made import noticed, unusual

from soc.cli import accounts, alerts
from soc.model.finding import Finding
from soc.model.policy import PolicyKind
from soc.model.rule import RuleDoc
from soc.store.anomalies import anomalies_file
from soc.store.detections import SqliteDetections
from soc.store.sqlite import open_stores

NOON = 1_772_452_800_000
RULE = RuleDoc("r", "h", "Brute [bold]force", "high", "text", runbook={"en": "Block it.", "vi": "Chặn."})


@pytest.fixture
def folder(tmp_path, make_event):
    event = make_event(NOON, event__original="a [/x] line")
    finding = Finding(
        "f", "a" * 24, "r", "h", "hungyen", "user.name", "a[/x]\x1b[31mb", NOON, event.id, {"user.name": "[red]"}
    )
    SqliteDetections(tmp_path).commit([finding], {"h": RULE}, {}, {}, None, NOON)
    return tmp_path


def run(app, folder, *arguments):
    result = CliRunner().invoke(app, [*arguments, "--data-dir", str(folder)])
    return result.exit_code, result.output, result.exception


@pytest.mark.parametrize("arguments", [["list"], ["show", "a" * 24]])
def test_markup_and_escapes_from_logs_are_shown_as_they_are(folder, arguments):
    code, output, error = run(alerts.app, folder, *arguments)
    assert (code, error) == (0, None)
    assert "a[/x]\\x1b[31mb" in output
    assert "Brute [bold]force" in output
    assert "\x1b" not in output


def test_close_needs_a_verdict_and_a_closed_alert_is_not_acknowledged_by_mistake(folder):
    assert run(alerts.app, folder, "close", "a" * 24)[0] == 2
    assert run(alerts.app, folder, "close", "a" * 24, "--verdict", "benign", "-m", "known")[0] == 0
    _, _, error = run(alerts.app, folder, "ack", "a" * 24)
    assert "closed as benign" in str(error)
    assert run(alerts.app, folder, "reopen", "a" * 24)[0] == 0
    assert run(alerts.app, folder, "ack", "a" * 24)[0] == 0


def test_a_verdict_about_an_entity_is_heard_and_taken_back(tmp_path):
    one = unusual("hungyen")
    noticed(anomalies_file(tmp_path), [one])
    rule = RuleDoc("people-officers", one.rule_hash, "An officer looks up unlike before", "high", "name: officers")
    finding = Finding(
        "f", one.alert, rule.id, rule.hash, one.org, one.field, one.entity, one.at, one.id, {"user.id": one.entity}
    )
    SqliteDetections(tmp_path).commit([finding], {rule.hash: rule}, {}, {}, None, NOON)
    closed = run(alerts.app, tmp_path, "close", one.alert, "--verdict", "benign")[1]
    assert "the entity: as surprising as then is harmless now" in closed
    policies = open_stores(tmp_path).policies
    assert [policy.body["entity"] for policy in policies.list(PolicyKind.HARMLESS)] == [one.entity]
    assert "what held before the verdict holds again" in run(alerts.app, tmp_path, "reopen", one.alert)[1]
    assert policies.list(PolicyKind.HARMLESS) == []


def test_a_new_password_changes_nothing_else(tmp_path):
    assert "all-orgs" in str(run(accounts.app, tmp_path, "add", "lan")[2])
    assert run(accounts.app, tmp_path, "add", "lan", "--org", "H05", "--role", "viewer")[0] == 0
    assert run(accounts.app, tmp_path, "add", "lan")[0] == 0
    listed = run(accounts.app, tmp_path, "list")[1]
    assert "viewer" in listed
    assert "H05" in listed
    assert "locked out" in run(accounts.app, tmp_path, "disable", "lan")[1]
    assert "disabled" in run(accounts.app, tmp_path, "list")[1]
