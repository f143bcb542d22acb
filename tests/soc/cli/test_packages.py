"""`soc rules import|packages|pipelines|reload` as somebody at a terminal uses them."""

from __future__ import annotations

import fcntl
import json
import zipfile

import pytest
from typer.testing import CliRunner

from soc.cli import build
from soc.errors import ConfigError
from soc.model.policy import PolicyKind
from soc.store.sqlite import open_stores

GOOD = """title: Good
id: 3f6e8f0a-0000-4000-8000-000000000001
level: high
date: 2026-03-04
logsource: {product: windows}
detection: {s: {CommandLine|contains: a}, condition: s}
"""
BAD = GOOD.replace("contains", "containz").replace("0001", "0002")


@pytest.fixture
def soc(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(build("rules"), ["rules", *arguments, "--data-dir", str(tmp_path / "data")])

    return run


@pytest.fixture
def package(tmp_path):
    def make(**rules):
        path = tmp_path / "sigma_core.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in rules.items():
                archive.writestr(f"rules/{name}.yml", text)
        return str(path)

    return make


def test_from_a_dry_run_to_the_way_back(soc, package, tmp_path):
    tried = soc("import", package(good=GOOD), "--dry-run")
    assert tried.exit_code == 0
    assert "1 new, in test:" in tried.stdout
    assert "Nothing has been changed" in tried.stdout
    assert not (tmp_path / "data" / "rules").exists()
    assert soc("packages", "list").stdout.startswith("No packages")
    done = soc("import", package(good=GOOD))
    assert "sigma_core 2026-03-04: 1 rules, licence not known" in done.stdout
    assert "--licence" in done.stdout
    again = soc("import", package(good=GOOD.replace("level: high", "level: low")), "--licence", "DRL-1.1", "--json")
    told = json.loads(again.stdout)
    assert told["changed"] == [{"id": GOOD.split()[3], "title": "Good", "what": ["level"]}]
    assert (told["added"], told["version"]["licence"]) == ([], "DRL-1.1")
    assert "DRL-1.1" in soc("packages", "list").stdout
    assert json.loads(soc("packages", "list", "--json").stdout)["previous"]["rules"] == 1
    assert "again, with 1 rules" in soc("packages", "rollback", "sigma_core").stdout
    assert soc("packages", "remove", "sigma_core").exit_code == 0
    assert soc("packages", "list").stdout.startswith("No packages")
    actions = [entry.action for entry in open_stores(tmp_path / "data").audit.list().items]
    assert actions == ["rules.remove", "rules.rollback", "rules.import", "rules.import"]


def test_what_cannot_be_used_is_named_and_told_by_the_exit_status(soc, package, tmp_path):
    done = soc("import", package(good=GOOD, bad=BAD), "--stage", "draft")
    assert done.exit_code == 3
    assert "rules/bad.yml:6" in done.stdout
    [policy] = open_stores(tmp_path / "data").policies.list(PolicyKind.RULE)
    assert policy.body["stage"] == "draft"


def test_bad_usage_is_told(soc, package, tmp_path):
    assert soc("import", package(good=GOOD), "--level", "nonsense").exit_code == 2
    for arguments, reason in (
        (("import", str(tmp_path / "gone.zip")), "no such file"),
        (("import", package(good=GOOD), "--pipeline", "nonsense"), "no pipeline 'nonsense'"),
        (("import", package(bad=BAD)), "no rule of it can be used"),
        (("packages", "rollback", "gone"), "there is no package"),
        (("reload",), "no detector runs"),
    ):
        result = soc(*arguments)
        assert result.exit_code != 0
        assert reason in str(result.exception)
    assert isinstance(soc("reload").exception, ConfigError)


def test_a_detector_that_is_just_starting_is_told(soc, tmp_path):
    """It holds its lock, and has not yet written which process it is."""
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "detector.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "just starting" in str(soc("reload").exception)


def test_pipelines_are_listed():
    result = CliRunner().invoke(build("rules"), ["rules", "pipelines"])
    assert result.exit_code == 0
    assert "ecs_web                  govsoc" in result.stdout
