"""`soc surge`."""

from __future__ import annotations

import orjson
import pytest
from typer.testing import CliRunner

from soc.cli import build

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
        ((*TIME, "--factor", "2", "--system", "fax"), "has 'fax'"),
    ],
)
def test_what_is_wrong_is_said(run, words, said):
    assert said in run("add", "x", *words, "-m", "y")


def test_a_reason_of_blanks_is_none(run):
    assert "say why" in run("add", "x", *TIME, "--factor", "2", "-m", " ")


def test_a_service_is_one_of_its_system(run):
    said = run("add", "x", *TIME, "--factor", "2", "--system", "portal", "--service", "hotich", "-m", "y")
    assert "2 times the usual of hotich of portal of all organisations" in said
