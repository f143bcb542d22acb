"""`soc orgs`, `soc silence` and what `soc sources add` says of an organisation."""

from __future__ import annotations

import orjson
import pytest
from typer.testing import CliRunner

from soc.cli import build


@pytest.fixture
def run(tmp_path):
    def call(*words):
        result = CliRunner().invoke(build(words[0]), [*words, "--data-dir", str(tmp_path / "data")])
        if result.exception and not isinstance(result.exception, SystemExit):
            return str(result.exception)
        return result.output

    return call


def add(run, name="portal", org="hungyen", *more):
    return run("sources", "add", name, "--type", "nginx.access", "--org", org, "--push", *more)


def test_the_directory(run):
    assert "soc orgs import" in run("orgs", "list")
    assert run("orgs", "import") == "organisations: 80 added, 0 changed, 0 as they were\n"
    assert run("orgs", "import") == "organisations: 0 added, 0 changed, 80 as they were\n"
    [line] = [line for line in run("orgs", "list").splitlines() if line.startswith("thaibinh")]
    assert line.split() == ["thaibinh", "Thái", "Bình", "province", "2025-06-30", "hungyen"]
    assert len(run("orgs", "list", "--kind", "ministry", "--json").splitlines()) == 17
    assert "cannot be read" in run("orgs", "import", "/nothing.csv")


def test_a_source_of_an_unknown_or_ended_organisation_is_enrolled_with_a_note(run):
    assert "note" not in add(run, "a", "nobody")
    run("orgs", "import")
    assert "note: the organisation nobody is not in the directory" in add(run, "b", "nobody")
    assert "note: the organisation thaibinh ended on 2025-06-30; its successor is hungyen" in add(run, "c", "thaibinh")
    assert "note" not in add(run, "d")
    assert len(run("silence", "list", "--json").splitlines()) == 4


def test_the_system_of_a_source(run):
    assert "there is no system 'x': choose one of portal, motcua" in add(run, "a", "hungyen", "--system", "x")
    add(run, "b", "hungyen", "--system", "motcua")
    add(run, "c", "hungyen")
    known = [orjson.loads(line) for line in run("silence", "list", "--json").splitlines()]
    assert [(one["id"], one["system"], one["state"]) for one in known] == [
        ("b", "motcua", "never_seen"),
        ("c", "portal", "never_seen"),
    ]


def test_what_is_expected_of_a_source(run):
    add(run)
    said = run("silence", "set", "portal", "--schedule", "office_hours", "--limit", "60")
    assert said == "source portal: a record in 60 min of office hours\n"
    assert "say with --reason" in run("silence", "set", "portal", "--exempt-until", "2099-01-01")
    said = run("silence", "set", "portal", "--exempt-until", "2099-01-01", "--reason", "moving")
    assert said == "source portal: a record in 60 min of office hours, exempt until 2099-01-01: moving\n"
    assert '"state":"exempt"' in run("silence", "list", "--json")
    assert run("silence", "set", "portal", "--exempt-until", "no").endswith("of office hours\n")
    assert "source portal: exempt_until is 'soon'" in run(
        "silence", "set", "portal", "--exempt-until", "soon", "--reason", "x"
    )
    assert "there is no source other" in run("silence", "set", "other", "--limit", "5")


def test_the_calendar(run):
    assert "hours: 07:30-11:30, 13:00-17:00" in run("silence", "calendar")
    said = run("silence", "calendar", "--off", "2030-01-02", "--working", "2030-01-05", "--hours", "08:00-17:00")
    assert said.splitlines()[:3] == ["hours: 08:00-17:00", "off: 2030-01-02", "working: 2030-01-05"]
    said = run("silence", "calendar", "--off", "2030-01-05", "--forget", "2030-01-02")
    assert said.splitlines()[:3] == ["hours: 08:00-17:00", "off: 2030-01-05", "working: none"]
    assert "--off soon: write a day" in run("silence", "calendar", "--off", "soon")
    assert "cannot be a day off and a working day" in run(
        "silence", "calendar", "--off", "2030-01-02", "--working", "2030-01-02"
    )
    assert "hours has '8'" in run("silence", "calendar", "--hours", "8")
