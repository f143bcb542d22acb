"""`soc detector` on what an observer has written."""

from __future__ import annotations

import json

import pytest
from streams import DELIVERY, LOST, MINUTE, START, receipts
from typer.testing import CliRunner

from detector.explain import rule_of
from detector.level import Level
from detector.series.definition import load
from soc.buffer.sqlite import EventLog
from soc.cli import alerts, build
from soc.cli.context import local_time
from soc.errors import ConfigError
from soc.model.event import iso
from soc.model.finding import Finding
from soc.model.harmless import HarmlessSeries
from soc.model.org import EVERYTHING
from soc.model.policy import Policy, PolicyKind
from soc.service.observer import Watching
from soc.settings import Settings
from soc.store.anomalies import SqliteAnomalies
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir, open_stores


@pytest.fixture
def place(tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "own.yml").write_text(DELIVERY, encoding="utf-8")
    log = EventLog(events_dir(tmp_path))
    log.append(list(receipts(1560, 15, 1, LOST)))
    yield tmp_path
    log.close()


def soc(place, *words: str):
    return CliRunner().invoke(build("detector"), ["detector", *words, "--data-dir", str(place)])


def watch(place):
    kept, log = SqliteAnomalies(place), EventLog(events_dir(place))
    Watching(Settings(data_dir=place), log, kept, load([place / "series"])).drain()
    log.close()
    return kept


def test_list_explain_and_reset(place):
    assert "No series yet" in soc(place, "list").stdout
    kept = watch(place)
    found = [json.loads(line) for line in soc(place, "list", "--json").stdout.splitlines()]
    assert {tuple(one["key"]) for one in found} == {
        (name,) for name in ("viettel", "vinaphone", "mobifone", "vietnamobile", "gmobile")
    }
    (anomaly,) = kept.list(EVERYTHING)
    told = soc(place, "explain", anomaly.series, iso(START + 1510 * MINUTE)).stdout
    assert f"alert {anomaly.alert}" in told
    assert 'govsoc.otp.carrier:"viettel"' in told
    assert "nothing is known" in soc(place, "explain", anomaly.series, "2020-01-01T00:00").stdout
    assert isinstance(soc(place, "explain", anomaly.series, "noon").exception, ConfigError)
    assert soc(place, "reset", anomaly.series, "--reason", "a new gateway").exit_code == 0
    again = watch(place)
    again.close()
    kept.close()
    log = EventLog(events_dir(place))
    log.append(list(receipts(5, 15, 2, start=START + 1560 * MINUTE)))
    log.close()
    kept = watch(place)
    one = kept.one(anomaly.series, EVERYTHING)
    assert one.series.born >= START + 1559 * MINUTE
    assert one.last.learning
    kept.close()


def test_the_list_says_what_it_left_out(place, monkeypatch):
    monkeypatch.setenv("SOC_OBSERVE__MOST_SERIES", "3")
    watch(place).close()
    assert "more series" not in soc(place, "list").stdout
    told = soc(place, "list", "--limit", "3").stdout
    assert "1 more series are not listed: see --limit" in told
    assert "2 more keys counted as other" in told
    found = soc(place, "list", "--limit", "3", "--json")
    assert len([json.loads(line) for line in found.stdout.splitlines()]) == 3
    assert "1 more series are not listed" in found.stderr
    assert "2 more keys counted as other" in found.stderr


def test_a_definition_of_another_version_is_as_one_that_is_gone(place):
    kept = watch(place)
    (anomaly,) = kept.list(EVERYTHING)
    kept.publish({"delivery": {"name": "delivery", "measure": "of a newer govsoc"}}, [])
    kept.close()
    assert "viettel" in soc(place, "list").stdout
    assert f"alert {anomaly.alert}" in soc(place, "explain", anomaly.series, iso(START + 1510 * MINUTE)).stdout


def test_a_definition_that_is_not_there_is_named_with_those_that_are(place):
    assert "No series yet" in soc(place, "list", "--definition", "delivry").stdout, "nothing runs yet"
    watch(place).close()
    mistyped = soc(place, "list", "--definition", "delivry").exception
    assert isinstance(mistyped, ConfigError)
    assert str(mistyped) == "no series of the definition delivry: there are delivery"
    assert "viettel" in soc(place, "list", "--definition", "delivery").stdout
    hanoi = soc(place, "list", "--definition", "delivery", "--org", "hanoi")
    assert hanoi.stdout == "no series of delivery is of the organisation hanoi: known are hungyen\n"


def test_an_organisation_that_nobody_has_heard_of_is_told(place, monkeypatch):
    assert "No series yet" in soc(place, "list", "--org", "nope").stdout, "nothing is known of anybody"
    watch(place).close()
    told = soc(place, "list", "--org", "nope")
    assert (told.exit_code, told.stdout) == (0, "no series is of the organisation nope: known are hungyen\n")
    both = soc(place, "list", "--org", "nope", "--org", "hungyen", "--json")
    assert "of the organisation nope" in both.stderr
    assert len(both.stdout.splitlines()) == 5
    monkeypatch.setattr("soc.service.process.now_ms", lambda: START + 2 * 86_400_000)
    words = ("backtest", "--days", "5", "--series", str(place / "series"))
    told = soc(place, *words, "--org", "nope")
    assert told.exit_code == 0
    assert "no event is of the organisation nope: known are hungyen" in told.stdout
    assert "nobody would have been called" not in told.stdout
    assert "of the organisation nope" in soc(place, *words, "--org", "nope", "--json").stderr
    assert "no event" not in soc(place, *words, "--org", "hungyen").stdout
    monkeypatch.setattr("soc.cli.detector._FEW", 0)
    assert "known are 1 others, see `soc orgs list`" in soc(place, "list", "--org", "nope").stdout


def test_explain_says_where_the_level_stands(place, monkeypatch):
    kept = watch(place)
    (anomaly,) = kept.list(EVERYTHING)
    kept.close()
    asked = ("explain", anomaly.series, iso(START + 1510 * MINUTE))
    stands = json.loads(soc(place, *asked, "--json").stdout)["level"]
    assert (stands["since"], stands["leaning"]) == (None, 0.0), "a day is too little for either"
    assert 0 < stands["usual"] < 0.3
    level = Level(START, -6.2, 0.1, 0.3, leaks=True)
    monkeypatch.setattr("detector.level.level_of", lambda *_: level)
    told = soc(place, *asked).stdout
    assert f"a new level is taken as usual since {local_time(START)[:10]}" in told
    assert "in three days the usual went from 0.3 to 0.1, 6.2 times the change that chance makes: a slow leak" in told


def test_a_verdict_from_a_terminal_is_heard_by_the_series(place):
    kept = watch(place)
    (anomaly,) = kept.list(EVERYTHING)
    kept.close()
    definition = load([place / "series"]).by_name["delivery"]
    rule = rule_of(definition)
    finding = Finding(
        "f", anomaly.alert, rule.id, rule.hash, "hungyen", "govsoc.otp.carrier", "viettel", anomaly.since, "e", {}
    )
    SqliteDetections(place).commit([finding], {rule.hash: rule}, {}, {}, None, anomaly.until)
    words = ["--data-dir", str(place)]
    told = CliRunner().invoke(alerts.app, ["close", anomaly.alert, "--verdict", "benign", *words]).stdout
    assert "1 series: as far off as then is harmless now" in told
    policies = open_stores(place).policies
    (policy,) = policies.list(PolicyKind.HARMLESS)
    assert (policy.id, policy.body["alert"]) == (anomaly.series, anomaly.alert)
    told = CliRunner().invoke(alerts.app, ["reopen", anomaly.alert, *words]).stdout
    assert "1 series: what held before the verdict holds again" in told
    assert policies.list(PolicyKind.HARMLESS) == []


def test_a_backtest_says_what_would_have_been_called_and_keeps_nothing(place, monkeypatch):
    monkeypatch.setattr("soc.service.process.now_ms", lambda: START + 2 * 86_400_000)
    told = soc(place, "backtest", "--days", "5", "--json", "--series", str(place / "series"))
    found = json.loads(told.stdout)
    assert found["events"] == 1560 * 15
    (anomaly,) = found["anomalies"]
    assert anomaly["definition"] == "delivery"
    assert not (place / "anomaly.db").exists()
    assert "1 alerts of 5 series" in soc(place, "backtest", "--days", "5", "--series", str(place / "series")).stdout
    assert "it learns for" not in told.stderr
    soon = soc(place, "backtest", "--days", "1", "--series", str(place / "series"))
    assert "nobody is called about delivery: it learns for 1 d, and 1 d are looked at" in soon.stderr
    empty = place / "none"
    empty.mkdir()
    assert isinstance(soc(place, "backtest", "--series", str(empty)).exception, ConfigError)


def test_a_backtest_takes_a_file_and_names_what_is_not_there(place, monkeypatch):
    monkeypatch.setattr("soc.service.process.now_ms", lambda: START + 2 * 86_400_000)
    file = place / "series" / "own.yml"
    told = soc(place, "backtest", "--days", "5", "--json", "--series", str(file))
    assert [one["definition"] for one in json.loads(told.stdout)["anomalies"]] == ["delivery"]
    error = soc(place, "backtest", "--series", str(place / "nowhere")).exception
    assert isinstance(error, ConfigError)
    assert str(error) == f"--series {place / 'nowhere'}: no such file or folder"
    file.write_bytes(b"\xff")
    error = soc(place, "backtest", "--series", str(file)).exception
    assert f"{file}: is not UTF-8 text" in str(error)


def test_a_backtest_knows_what_is_laid_down_and_says_what_it_cuts(place, monkeypatch):
    monkeypatch.setattr("soc.service.process.now_ms", lambda: START + 2 * 86_400_000)
    monkeypatch.setenv("SOC_OBSERVE__MOST_SERIES", "3")
    words = ("backtest", "--days", "5", "--series", str(place / "series"))
    few = json.loads(soc(place, *words, "--json").stdout)
    assert (few["series"], few["beyond"]) == (4, 2), "three, and one of all others"
    assert "2 more keys had no room" in soc(place, *words).stdout
    monkeypatch.delenv("SOC_OBSERVE__MOST_SERIES")
    monkeypatch.setattr("soc.service.observed.MOST", 0)
    assert "only the newest 0 of 1 anomalies" in soc(place, *words).stdout
    monkeypatch.undo()
    monkeypatch.setattr("soc.service.process.now_ms", lambda: START + 2 * 86_400_000)
    (anomaly,) = json.loads(soc(place, *words, "--json").stdout)["anomalies"]
    harmless = HarmlessSeries(anomaly["series"], "delivery", "hungyen", 1e6, anomaly["alert"])
    policies = open_stores(place).policies
    policies.put(Policy(PolicyKind.HARMLESS, harmless.series, 1, harmless.body(), "lan", START, "a test"))
    assert json.loads(soc(place, *words, "--json").stdout)["anomalies"] == []
