"""`soc rules stage|override|exceptions` on a real embedded store."""

from __future__ import annotations

import orjson
import pytest
from typer.testing import CliRunner

from soc.cli import build
from soc.errors import NotFound, QueryError, SocError
from soc.model.asked import Asked
from soc.model.policy import PolicyKind
from soc.model.rule import RuleDoc
from soc.store.detections import SqliteDetections
from soc.store.sqlite import open_stores


@pytest.fixture
def soc(tmp_path):
    detections = SqliteDetections(tmp_path)
    detections.publish([RuleDoc("r", "h", "Brute force", "high", "title: x")], [])
    detections.close()

    def run(*arguments):
        return CliRunner().invoke(build("rules"), ["rules", *arguments, "--data-dir", str(tmp_path)])

    return run


def test_a_rule_is_staged_and_overridden(soc, tmp_path):
    assert soc("stage", "r", "test", "--reason", "noisy").exit_code == 0
    assert soc("override", "r", "--level", "low", "--reason", "as agreed").exit_code == 0
    assert soc("override", "r", "--org", "hungyen", "--off", "-m", "no such system").exit_code == 0
    policies = open_stores(tmp_path).policies
    assert policies.get(PolicyKind.RULE, "r").body == {
        "stage": "test",
        "level": "low",
        "orgs": {"hungyen": {"enabled": False, "level": None}},
    }
    assert [one.reason for one in policies.history(PolicyKind.RULE, "r")] == ["noisy", "as agreed", "no such system"]
    assert soc("override", "r", "--off", "-m", "x").exit_code == 2
    assert soc("override", "r", "--level", "huge", "-m", "x").exit_code == 2
    assert isinstance(soc("stage", "nothing", "test", "-m", "x").exception, NotFound)


def test_a_correlation_is_given_a_threshold_a_window_and_what_narrows_it(soc, tmp_path):
    detections = SqliteDetections(tmp_path)
    asked = Asked("event_count", "gte", 20, 600, 1)
    detections.publish([RuleDoc("r", "h", "Brute force", "high", "title: x", group_by=("source.ip",), asked=asked)], [])
    detections.close()
    assert open_stores(tmp_path).alerts.running()[0][0].asked == asked
    laid = soc(
        "override",
        "r",
        "--org",
        "hungyen",
        "--threshold",
        "5",
        "--window",
        "2h",
        "--only",
        "source.ip:10.0.0.0/8",
        "-m",
        "x",
    )
    assert "threshold 5, window 2h, only source.ip:10.0.0.0/8" in laid.stdout
    assert open_stores(tmp_path).policies.get(PolicyKind.RULE, "r").body["orgs"] == {
        "hungyen": {"enabled": True, "level": None, "threshold": 5, "timespan_s": 7200, "only": "source.ip:10.0.0.0/8"}
    }
    for wrong in (["--threshold", "many"], ["--window", "10"], ["--window", "1y"], ["--threshold", "2.5"]):
        assert isinstance(soc("override", "r", *wrong, "-m", "x").exception, SocError), wrong


def test_an_exception_is_looked_at_made_listed_and_withdrawn(soc, tmp_path):
    assert (
        "0 events and 0 alerts hidden, 0 of them confirmed true"
        in soc("exceptions", "preview", "r", "source.ip:10.0.0.5").stdout
    )
    assert (
        soc("exceptions", "add", "r", "source.ip:10.0.0.5", "--org", "hungyen", "--reason", "our scanner").exit_code
        == 0
    )
    [made] = map(orjson.loads, soc("exceptions", "list", "--json").stdout.splitlines())
    assert (made["rule_id"], made["orgs"], made["version"]) == ("r", ["hungyen"], 1)
    assert "our scanner" in soc("exceptions", "list", "--rule", "r").stdout
    assert soc("exceptions", "withdraw", made["id"], "-m", "sold").exit_code == 0
    assert "No exceptions." in soc("exceptions", "list").stdout
    assert isinstance(soc("exceptions", "withdraw", made["id"], "-m", "again").exception, SocError)
    assert isinstance(soc("exceptions", "add", "r", "*", "-m", "x").exception, QueryError)
    actions = [entry.action for entry in open_stores(tmp_path).audit.list(limit=2).items]
    assert actions == ["exception.withdraw", "exception.create"]
