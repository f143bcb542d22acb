"""What a backup holds of a place that does not stand still."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson

from soc.backtest.jobs import jobs_dir
from soc.buffer.sqlite import EventLog
from soc.model.alert import Decision
from soc.model.incident import Incident, IncidentDecision
from soc.model.org import EVERYTHING
from soc.service.backup import MANIFEST, Place, back_up, restore
from soc.service.ruleset import rules_dir
from soc.settings import Settings, load
from soc.store.sqlite import events_dir, keys_dir, open_stores

MS = 1_772_452_800_000
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_key_of_an_organisation_enrolled_meanwhile_is_in_it(tmp_path, make_event):
    data_dir = tmp_path / "data"
    log = EventLog(events_dir(data_dir), min_free_bytes=0)
    log.append([make_event(1_772_452_800_000)])
    log.close()
    keys_dir(data_dir).mkdir()
    (keys_dir(data_dir) / "early.key").write_bytes(b"1" * 32)

    def enrol(what: str) -> None:
        if what.startswith("copying events"):  # the keys have been copied before
            (keys_dir(data_dir) / "late.key").write_bytes(b"2" * 32)

    made = back_up(load(data_dir=data_dir), tmp_path / "backups", Place(), enrol, NOW)
    assert {"keys/early.key", "keys/late.key"} <= orjson.loads((made / MANIFEST).read_bytes())["files"].keys()
    restore(load(data_dir=tmp_path / "again"), made, None, lambda _: None)
    assert (keys_dir(tmp_path / "again") / "late.key").read_bytes() == b"2" * 32


def test_incidents_and_snoozes_come_back(tmp_path):
    stores = open_stores(tmp_path / "data")
    stores.incidents.create(Incident("1" * 24, "Sự cố", ("hungyen",), MS, "lan", MS, "lan"), by="lan")
    stores.incidents.change("1" * 24, IncidentDecision(comment="đã gọi"), by="lan", now=MS)
    stores.triage.change("2" * 24, Decision(incident="1" * 24, snoozed_until=MS + 1, reason="chờ"), by="lan", now=MS)
    made = back_up(load(data_dir=tmp_path / "data"), tmp_path / "backups", Place(), lambda _: None, NOW)
    restore(load(data_dir=tmp_path / "again"), made, None, lambda _: None)
    again = open_stores(tmp_path / "again")
    assert again.incidents.get("1" * 24, EVERYTHING) == stores.incidents.get("1" * 24, EVERYTHING)
    assert again.incidents.history("1" * 24) == stores.incidents.history("1" * 24)
    assert again.triage.history("2" * 24) == stores.triage.history("2" * 24)


def test_backtests_that_have_ended_are_in_it(tmp_path):
    data_dir = tmp_path / "data"
    for name, files in (("done", ("job.json", "rule.yml", "outcomes.json")), ("running", ("job.json", "rule.yml"))):
        place = jobs_dir(data_dir) / name
        place.mkdir(parents=True)
        for file in files:
            (place / file).write_text(f"{name} {file}")
    made = back_up(load(data_dir=data_dir), tmp_path / "backups", Place(), lambda _: None, NOW)
    back = tmp_path / "back"
    restore(load(data_dir=back), made, None, lambda _: None)
    there = {path.relative_to(jobs_dir(back)): path.read_text() for path in jobs_dir(back).glob("*/*")}
    names = ("job.json", "rule.yml", "outcomes.json")
    assert there == {Path("done") / file: f"done {file}" for file in names}


def test_rules_of_the_data_directory_are_in_it_also_while_an_import_goes_on(tmp_path):
    data_dir = tmp_path / "data"
    open_stores(data_dir)
    (rules_dir(data_dir) / "mine").mkdir(parents=True)
    (rules_dir(data_dir) / "mine" / "a.yml").write_text("title: a")
    (tmp_path / "secret.yml").write_text("title: secret")
    (rules_dir(data_dir) / "mine" / "link.yml").symlink_to(tmp_path / "secret.yml")
    package = rules_dir(data_dir) / "sigmahq"
    (package / "ab12").mkdir(parents=True)
    (package / "ab12" / "x.yml").write_text("title: x")
    (package / "package.json").write_text("names ab12")

    def imported(what):
        if what.endswith("sigmahq/package.json"):  # a version more
            (package / "cd34").mkdir()
            (package / "cd34" / "x.yml").write_text("title: y")

    settings = Settings(data_dir=data_dir)
    made = back_up(settings, tmp_path / "backups", Place(), imported, datetime.now(UTC))
    restore(Settings(data_dir=tmp_path / "again"), made, None, lambda _: None)
    found = {str(path.relative_to(tmp_path / "again")) for path in rules_dir(tmp_path / "again").rglob("*.*")}
    assert found >= {"rules/mine/a.yml", "rules/sigmahq/package.json", "rules/sigmahq/ab12/x.yml"}
    assert "rules/mine/link.yml" not in found
