"""`soc lists`, and what `soc doctor` says of lists."""

from __future__ import annotations

import orjson
import pytest
from typer.testing import CliRunner

from soc.cli import build
from soc.cli.lists_checks import lists_checks
from soc.settings import Settings
from soc.store.sqlite import open_stores


@pytest.fixture
def run(tmp_path):
    def call(*words, code=0):
        result = CliRunner().invoke(build("lists"), ["lists", *words, "--data-dir", str(tmp_path / "data")])
        if result.exception and not isinstance(result.exception, SystemExit):
            return str(result.exception)
        assert result.exit_code == code, result.output
        return result.output

    return call


@pytest.fixture
def feed(tmp_path):
    path = tmp_path / "feed.txt"
    path.write_text("# bad\n192.0.2.1\nfoo\n10.0.0.0/8 ; SBL1\n")
    return str(path)


def test_a_list_is_imported_shown_changed_and_removed(run, feed):
    said = run("import", "bad", feed, "--type", "ip", "--expires", "30d", "--source", "https://example.vn", code=3)
    assert "feed.txt:3: it is neither an address nor a CIDR block" in said
    assert "bad: 2 entries, 2 added, 0 removed" in said
    assert "nothing is changed" in run("import", "bad", feed, "--type", "ip", "--dry-run", code=3)
    assert "1 added" in run("add", "bad", "2001:db8::1", "--reason", "seen")
    shown = [orjson.loads(line) for line in run("show", "bad", "--json").splitlines()]
    assert [one["value"] for one in shown] == ["10.0.0.0/8", "192.0.2.1", "2001:db8::1"]
    assert (shown[0]["until"] is not None, shown[2]["until"], shown[2]["note"]) == (True, None, "seen")
    assert "1 removed" in run("remove", "bad", "--entry", "192.0.2.1", "--reason", "clean")
    [one] = [orjson.loads(line) for line in run("list", "--json").splitlines()]
    assert (one["entries"], one["version"], one["source"]) == (2, 3, "https://example.vn")
    assert "is removed" in run("remove", "bad", "--reason", "over")
    assert "there is no list bad" in run("show", "bad")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "bad", "192.0.2.1", "-m", "x"), "there is no list bad: say of which type it is to be"),
        (("add", "bad", "x y", "-m", "x", "--type", "ip"), "x y: it is neither"),
        (("import", "bad", "/nowhere", "--type", "ip"), "/nowhere: No such file"),
        (("import", "b-d", "FEED", "--type", "ip"), "a list is named by"),
        (("import", "bad", "FEED", "--type", "hash"), "no entry of type hash in it; the list stays as it is"),
        (("import", "bad", "FEED", "--type", "ip", "--expires", "soon"), "--expires 'soon'"),
        (("import", "bad", "FEED", "--type", "ip", "--format", "csv"), "which column of the CSV file?"),
        (("import", "bad", "FEED", "--type", "ip", "--format", "xml"), "there is no format 'xml'"),
    ],
)
def test_what_cannot_be_done_is_said(run, feed, words, said):
    assert said in run(*(feed if word == "FEED" else word for word in words))


def test_explaining_asks_the_lists_of_a_data_directory(run, feed, tmp_path):
    (tmp_path / "r.yml").write_text(
        "title: Asks\nlogsource: {product: linux}\ndetection: {s: {ip|expand: '%bad%'}, condition: s}\n"
    )
    (tmp_path / "event.json").write_text('{"ip": "10.1.2.3"}')
    asked = ["rules", "explain", "Asks", str(tmp_path / "event.json"), "--rules", str(tmp_path / "r.yml")]
    run("import", "bad", feed, "--type", "ip", code=3)

    def told(*more):
        result = CliRunner().invoke(build("rules"), [*asked, *more])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert (
        "✗ ip is on a list that is not there (a rule rests, a filter takes nothing away): bad   ['10.1.2.3']" in told()
    )
    assert "✓ ip is on the list bad (10.0.0.0/8, version " in told("--data-dir", str(tmp_path / "data"))


def test_doctor_names_lists_that_are_over_or_not_here(run, feed, tmp_path):
    settings = Settings(data_dir=tmp_path / "data")

    def checks():
        stores = open_stores(settings.data_dir)
        return {check.name: (check.state, check.found) for check in lists_checks(settings, stores)}

    run("import", "bad", feed, "--type", "ip", code=3)
    assert checks() == {"list bad": ("ok", "2 entries")}
    [file] = (tmp_path / "data" / "lists").glob("*.list")
    file.unlink()
    assert checks()["list bad"][0] == "bad"
