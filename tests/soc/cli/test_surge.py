"""`soc surge`."""

from __future__ import annotations

import orjson
import pytest
from typer.testing import CliRunner

from detector.series.definition import load
from soc.cli import build
from soc.model.anomaly import Board, Counts, Progress, Series
from soc.model.org import Organisation, OrgKind
from soc.model.policy import Policy, PolicyKind
from soc.store.anomalies import SqliteAnomalies, anomalies_file
from soc.store.sqlite import open_stores

TIME = ("--from", "2030-07-01", "--to", "2030-07-09T17:00")


@pytest.fixture
def run(tmp_path):
    def call(*words):
        result = CliRunner().invoke(build("surge"), ["surge", *words, "--data-dir", str(tmp_path / "data")])
        if result.exception and not isinstance(result.exception, SystemExit):
            return str(result.exception)
        return result.output

    return call


def test_a_surge_is_declared_listed_and_ended(run):
    assert "No surges yet" in run("list")
    said = run("add", "Enrolment", *TIME, "--factor", "5", "--org", "hungyen", "--system", "portal", "-m", "letter 12")
    assert "5 times the usual of portal of hungyen, 2030-07-01 00:00:00 to 2030-07-09 17:00:00" in said
    [one] = map(orjson.loads, run("list", "--json").splitlines())
    assert (one["name"], one["systems"], one["active"], one["reason"]) == ("Enrolment", ["portal"], False, "letter 12")
    assert "Enrolment" in run("list")
    assert run("end", one["id"], "-m", "rain") == f"surge {one['id']} is withdrawn\n"
    assert "there is no surge" in run("end", one["id"], "-m", "rain")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "soon", "--to", "2030-01-02", "--factor", "2"), "--from soon: write a time"),
        ((*TIME, "--factor", "nan"), "less than or equal to 100"),
        ((*TIME, "--factor", "2", "--hours", "7"), "the hours are '7'"),
        (("--from", "2020-01-01", "--to", "2020-01-02", "--factor", "2"), "over already"),
        (("--from", "2030-07-01", "--to", "2030-07-01", "--factor", "2"), "it has to end after it begins"),
        ((*TIME, "--factor", "2", "--system", "fax"), "there is no system 'fax'"),
    ],
)
def test_what_is_wrong_is_said(run, words, said):
    assert said in run("add", "x", *words, "-m", "y")


def test_a_reason_or_a_name_of_blanks_is_none(run):
    assert "say why" in run("add", "x", *TIME, "--factor", "2", "-m", " ")
    assert "give it a name" in run("add", " ", *TIME, "--factor", "2", "-m", "y")


def test_a_service_is_one_of_its_system(run):
    said = run("add", "x", *TIME, "--factor", "2", "--system", "portal", "--service", "hotich", "-m", "y")
    assert "2 times the usual of hotich of portal of all organisations" in said


def test_what_nobody_has_heard_of_is_noted_and_taken_all_the_same(run, tmp_path):
    words = ("add", "x", *TIME, "--factor", "2", "-m", "y")
    said = run(*words, "--org", "nowhere", "--service", "no-such-service")
    assert "note: no series is of the organisation nowhere yet: check that this is its agency code" in said
    assert "note: no volume of no-such-service is watched yet: check that it is spelled as in the logs" in said
    assert len(orjson.loads(run("list", "--json"))["doubts"]) == 2
    kept = SqliteAnomalies(tmp_path / "data")
    found = load()
    kept.publish({name: one.model_dump(mode="json") for name, one in found.by_name.items()}, [])
    calls, delivery = Board("lgsp-calls", "hungyen"), Board("otp-delivery", "hungyen")
    series = [Series(calls, ("CU-DVC",), 0, 1), Series(delivery, ("viettel",), 0, 1)]
    kept.commit(Progress({}, {}, {}, {}, {}, series, [], [], {calls: Counts(1, 0, 0), delivery: Counts(1, 0, 0)}))
    kept.close()
    assert "note:" not in run(*words, "--org", "hungyen", "--service", "CU-DVC")
    assert "no volume of CU-DVC" in run(*words, "--system", "portal", "--service", "CU-DVC"), "of another system"
    of_a_share = run(*words, "--service", "viettel")
    assert "no volume is counted by viettel: leave services empty, or add a series that counts by it" in of_a_share
    assert "no volume of viettel is watched" in run(*words, "--system", "lgsp", "--service", "viettel")
    assert len(run("list", "--json").splitlines()) == 5


def test_a_surge_is_declared_where_series_cannot_be_read(run, tmp_path):
    open_stores(tmp_path / "data")
    anomalies_file(tmp_path / "data").write_bytes(b"no database at all" * 1000)
    assert "surge " in run("add", "x", *TIME, "--factor", "2", "-m", "y", "--service", "no-such-service")
    assert len(run("list", "--json").splitlines()) == 1


def test_the_directory_says_which_organisations_there_are(run, tmp_path):
    stores = open_stores(tmp_path / "data")
    province = Organisation("hungyen", "Hưng Yên", OrgKind.PROVINCE)
    stores.policies.put(Policy(PolicyKind.ORGANISATION, "hungyen", 1, province.body(), "x", 0))
    words = ("add", "x", *TIME, "--factor", "2", "-m", "y")
    assert "note:" not in run(*words, "--org", "hungyen")
    assert "note: the organisation nowhere is not in the directory" in run(*words, "--org", "nowhere")
