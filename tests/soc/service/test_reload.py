"""Hot reload: what people edit is taken up between two batches, and what they break takes no running rule away."""

from __future__ import annotations

import os
import shutil
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from rules.desk.tuning import Tuning
from rules.load.folders import CONTENT
from soc.buffer.sqlite import EventLog
from soc.errors import ConfigError
from soc.model.org import EVERYTHING
from soc.service.compiling import Apart, Databases
from soc.service.detector import engine_of, put_together
from soc.service.reload import Reloader, reloading, taking_up
from soc.service.ruleset import choose, stamps
from soc.settings import Settings
from soc.store.base import AlertFilter
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir, open_stores

NOON = 1_772_452_800_000
FAILED = """
title: Failed sign-in
id: 3f6e8f0a-0000-4000-8000-000000000001
name: failed
logsource: {product: linux}
detection: {selection: {event.outcome: failure}, condition: selection}
"""
MANY = """
title: Many failed sign-ins
id: 3f6e8f0a-0000-4000-8000-000000000002
level: high
correlation: {type: event_count, rules: [failed], group-by: [source.ip], timespan: 1m, condition: {gte: 4}}
"""
ROOT = """
title: Root
id: 3f6e8f0a-0000-4000-8000-000000000003
level: low
logsource: {product: linux}
detection: {selection: {user.name: root}, condition: selection}
"""
ABSENT = """
title: Nothing follows
id: 3f6e8f0a-0000-4000-8000-000000000009
level: high
correlation: {type: absence, rules: [failed, root], group-by: [source.ip], timespan: 1m}
"""
CLEANERS = """
title: Not the cleaners
id: 3f6e8f0a-0000-4000-8000-00000000000a
logsource: {product: linux}
filter: {rules: [%s], cleaner: {source.ip: 203.0.113.9}, condition: not cleaner}
"""
ROOT_ID = "3f6e8f0a-0000-4000-8000-000000000003"


def rules_counted() -> float | None:
    return REGISTRY.get_sample_value("soc_detector_rules")


class Rig:
    """A detector without its threads: `look` is what its looking thread does each time, `drain` what its own does."""

    def __init__(self, folder: Path, rules: Path | None = None) -> None:
        self.settings = Settings(data_dir=folder, detect={"rules": [rules] if rules else []})
        self.rules = rules or folder / "rules"
        self.log, self.detections = EventLog(events_dir(folder)), SqliteDetections(folder)
        self.stores = open_stores(folder)
        self.pipeline, publisher, running = put_together(self.settings, self.log, self.detections, Tuning)
        self.reloader = Reloader(self.settings, running, partial(engine_of, self.settings))
        self.pipeline.between = taking_up(self.pipeline, publisher, self.reloader)
        self.reloader._apart.run = lambda: (
            True
        )  # what it has not compiled is compiled here, without the second that a process takes

    def compile_apart(self) -> None:
        """By a process of its own, as in life."""
        del self.reloader._apart.run

    def look(self) -> None:
        """Twice: a change has to have settled."""
        for _ in range(2):
            self.reloader.look()
        self.pipeline.step()

    def drain(self, *events) -> None:
        self.log.append(list(events))
        self.pipeline.drain()

    def titles(self) -> list[str]:
        return sorted(rule.title for rule in self.stores.alerts.running()[0] if not rule.silent)

    def faults(self) -> list[str]:
        return [fault.reason for fault in self.stores.alerts.running()[1]]

    def alerts(self) -> dict[str, int]:
        return {alert.title: alert.count for alert in self.stores.alerts.list(AlertFilter(), EVERYTHING).items}

    def close(self) -> None:
        self.log.close()
        self.detections.close()


@pytest.fixture
def folder(tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "many.yml").write_text(FAILED + "---" + MANY)
    return rules


@pytest.fixture
def rig(tmp_path, folder):
    rig = Rig(tmp_path / "data", folder)
    yield rig
    rig.close()


@pytest.fixture
def failure(make_event):
    def make(second, user="lan"):
        return make_event(
            NOON + second * 1000,
            f"e{second}",
            dataset="linux.auth",
            event__outcome="failure",
            source__ip="203.0.113.9",
            user__name=user,
        )

    return make


def test_a_window_that_spans_a_reload_still_fires(rig, folder, failure):
    rig.drain(failure(0), failure(1))
    (folder / "root.yml").write_text(ROOT)
    rig.look()
    assert rig.titles() == ["Many failed sign-ins", "Root"]
    rig.drain(failure(2, "root"), failure(3))
    assert rig.alerts() == {"Many failed sign-ins": 4, "Root": 1}


def test_what_waits_for_the_watermark_is_decided_after_a_reload(tmp_path, folder, failure, make_event):
    """Absence: nothing comes to wake it, and the rules that were asked to wait are no more."""
    (folder / "many.yml").write_text(FAILED + "---" + ABSENT + "---" + ROOT.replace("title", "name: root\ntitle"))
    rig = Rig(tmp_path / "data", folder)
    rig.drain(failure(0))
    (folder / "other.yml").write_text(ROOT.replace("0003", "0004"))
    rig.look()
    assert rig.alerts() == {}
    rig.pipeline.finish()
    assert rig.alerts() == {"Nothing follows": 1}
    rig.close()


def test_a_changed_correlation_starts_anew(rig, folder, failure):
    rig.drain(failure(0), failure(1))
    (folder / "many.yml").write_text(FAILED + "---" + MANY.replace("gte: 4", "gte: 3"))
    rig.look()
    rig.drain(failure(2))
    assert rig.alerts() == {}
    rig.drain(failure(3), failure(4))
    assert rig.alerts() == {"Many failed sign-ins": 3}


def test_a_change_is_taken_up_only_when_it_has_settled_and_said_at_once(rig, folder):
    (folder / "root.yml").write_text(ROOT[:40])
    rig.reloader.look()
    rig.pipeline.step()
    said = rig.stores.alerts.in_force()
    assert said.loading_since is not None
    assert rig.faults() == []
    (folder / "root.yml").write_text(ROOT)  # the editor goes on
    rig.reloader.look()
    assert rig.reloader.take() is None
    rig.reloader.look()
    rig.pipeline.step()
    now = rig.stores.alerts.in_force()
    assert now.loading_since is None
    assert (now.rules, now.hash != said.hash) == (3, True)


def test_a_file_that_is_only_touched_changes_nothing(rig, folder):
    engine, before = rig.pipeline._rules, rig.stores.alerts.in_force()
    os.utime(folder / "many.yml", ns=(1, 1))
    rig.look()
    after = rig.stores.alerts.in_force()
    assert rig.pipeline._rules is engine
    assert (after.hash, after.since) == (before.hash, before.since)
    assert after.checked > before.checked
    assert after.loading_since is None


def test_a_broken_edit_leaves_the_whole_file_running_as_it_was_and_says_so(rig, folder, failure):
    """Also the base rule, which would raise an alert for each event if nothing counted it any more."""
    (folder / "many.yml").write_text(FAILED + "---" + MANY.replace("event_count", "event_counts"))
    (folder / "root.yml").write_text(ROOT)
    rig.look()
    assert rig.titles() == ["Many failed sign-ins", "Root"]
    [fault] = rig.faults()
    assert fault.startswith("the file as it was before goes on running: ")
    rig.drain(*map(failure, range(4)))
    assert rig.alerts() == {"Many failed sign-ins": 4}
    (folder / "many.yml").write_text(FAILED + "---" + MANY.replace("Many", "So many"))
    rig.look()
    assert (rig.titles(), rig.faults()) == (["Root", "So many failed sign-ins"], [])


BREAKS = {
    "not yaml": lambda text: text[:-2],
    "unsupported": lambda text: text.replace("source.ip", "source.ip|no_such_modifier"),
    "names nobody": lambda text: text.replace(ROOT_ID, "nobody"),
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=list(BREAKS))
def test_a_broken_edit_of_a_filter_leaves_its_rules_narrowed_and_says_so(rig, folder, failure, broken):
    """An exception that everybody relies on does not vanish with a slip of the pen, nor when the detector starts again."""
    filters = folder / "cleaners.yml"
    (folder / "root.yml").write_text(ROOT)
    filters.write_text(CLEANERS % ROOT_ID)
    rig.look()
    before = rig.stores.alerts.in_force().hash
    filters.write_text(broken(CLEANERS % ROOT_ID))
    rig.look()
    again = Rig(rig.settings.data_dir, folder)
    again.close()
    for faults in (rig.faults(), again.faults()):
        assert [fault.startswith("the file as it was before goes on running: ") for fault in faults] == [True]
    assert rig.stores.alerts.in_force().hash == before
    rig.drain(failure(0, "root"))
    assert rig.alerts() == {}
    filters.unlink()
    rig.look()
    rig.drain(failure(1, "root"))
    assert (rig.alerts(), rig.faults()) == ({"Root": 1}, [])


def test_a_filter_of_several_rules_stays_with_all_of_them_when_it_and_a_rule_break(rig, folder, failure):
    second = ROOT.replace("0003", "0004").replace("Root", "Second")
    (folder / "root.yml").write_text(ROOT)
    (folder / "second.yml").write_text(second + "---" + FAILED.replace("0001", "0005").replace("name: failed", ""))
    (folder / "cleaners.yml").write_text(CLEANERS % f"{ROOT_ID}, {ROOT_ID[:-1]}4")
    rig.look()
    for _ in range(2):  # what goes on as it was goes on so
        (folder / "cleaners.yml").write_text("filter: {")
        (folder / "second.yml").write_text("title: [")
        rig.look()
    assert len(rig.faults()) == 2
    (folder / "second.yml").write_text(second)  # its own file is whole again, the filter's is not
    rig.look()
    assert rig.titles() == ["Many failed sign-ins", "Root", "Second"]
    rig.drain(failure(0, "root"))
    assert rig.alerts() == {}


def test_a_filter_that_a_rule_no_longer_lies_within_is_said_with_its_own_line(rig, folder):
    (folder / "root.yml").write_text(ROOT)
    (folder / "cleaners.yml").write_text("\n\n" + CLEANERS % ROOT_ID)
    rig.look()
    (folder / "root.yml").write_text(ROOT.replace("linux", "windows"))
    rig.look()
    [fault] = rig.stores.alerts.running()[1]
    assert fault.reason.startswith("the filter is for product linux, and")
    assert fault.line == 7


def test_a_file_broken_while_the_detector_was_down_runs_as_it_was_when_it_starts(rig, folder, tmp_path):
    (folder / "many.yml").write_text("title: [")
    again = Rig(tmp_path / "data", folder)
    again.close()
    assert rig.titles() == ["Many failed sign-ins"]
    assert again.faults()[0].startswith("the file as it was before goes on running: ")


def test_a_deleted_file_takes_its_rules_away(rig, folder):
    (folder / "root.yml").write_text(ROOT)
    (folder / "many.yml").unlink()
    rig.look()
    assert (rig.titles(), rig.faults()) == (["Root"], [])


def test_a_folder_that_is_away_is_not_taken_for_deleted(rig, folder):
    folder.rename(folder.with_name("away"))
    rig.look()
    assert rig.titles() == ["Many failed sign-ins"]
    assert [fault.partition(": ")[2] for fault in rig.faults()] == ["no such file or directory"]
    folder.with_name("away").rename(folder)
    rig.look()
    assert rig.faults() == []


def test_an_unusable_pipeline_leaves_everything_as_it_was(rig, tmp_path):
    rig.settings = rig.settings.model_copy(
        update={"detect": rig.settings.detect.model_copy(update={"pipeline": str(tmp_path / "gone.yml")})}
    )
    rig.reloader._settings = rig.settings
    rig.reloader.asked.set()
    with pytest.raises(ConfigError, match=r"gone\.yml"):
        rig.reloader.look()
    rig.pipeline.step()
    assert rig.titles() == ["Many failed sign-ins"]
    assert rig.faults()[0].startswith("the rules that were running go on: ")


def test_a_rule_that_broke_stays_stopped_until_its_text_changes(rig, folder, failure, monkeypatch):
    (folder / "root.yml").write_text(ROOT)
    rig.look()
    rig.pipeline._rules._break(next(r for r in rig.pipeline._rules.ruleset.rules if r.id == ROOT_ID), ValueError())
    monkeypatch.setattr("soc.service.published._LOOK_S", 0.0)
    (folder / "other.yml").write_text(ROOT.replace("Root", "Other").replace("0003", "0004").replace("root", "nobody"))
    rig.look()
    assert rig.titles() == ["Many failed sign-ins", "Other", "Root"]
    assert rig.faults() == ["stopped while running: ValueError"]
    assert rig.stores.alerts.running()[1][0].rule_id == ROOT_ID
    assert (REGISTRY.get_sample_value("soc_detector_broken_rules"), rules_counted()) == (1, 3)
    rig.drain(failure(0, "root"))
    assert rig.alerts() == {}
    (folder / "root.yml").write_text(ROOT.replace("level: low", "level: high"))
    rig.look()
    rig.drain(failure(1, "root"))
    assert (rig.alerts(), rig.faults()) == ({"Root": 1}, [])
    assert (REGISTRY.get_sample_value("soc_detector_broken_rules"), rules_counted()) == (0, 4)


def test_rules_of_the_data_directory_run_beside_those_that_come_with_govsoc(tmp_path, compiled):
    (tmp_path / "cache").symlink_to(compiled)
    rig = Rig(tmp_path)
    shipped = len(rig.titles())
    assert shipped > 20
    (rig.rules / "mine").mkdir(parents=True)
    (rig.rules / "mine" / "root.yml").write_text(ROOT)
    (rig.rules / "root.cases.yml").write_text("- name: not a rule")
    rig.look()
    assert len(rig.titles()) == shipped + 1
    shutil.rmtree(rig.rules)
    rig.look()
    assert len(rig.titles()) == shipped
    rig.close()


def test_each_fault_of_a_reload_is_logged(rig, folder):
    (folder / "root.yml").write_text("title: [")
    with capture_logs() as said:
        rig.look()
    assert any("root.yml" in line.get("rule", "") for line in said)


def test_what_changed_is_compiled_by_a_process_of_its_own_down_to_the_databases(rig, folder, failure, monkeypatch):
    for n in range(4, 9):
        (folder / f"{n}.yml").write_text(ROOT.replace("0003", f"000{n}").replace("root", f"root{n}"))
    rig.compile_apart()
    compiled, put = [], []
    with monkeypatch.context() as patch:
        patch.setattr(
            "soc.service.reload.choose", lambda *a, **k: choose(*a, **k, progress=lambda *p: compiled.append(p))
        )
        patch.setattr(Databases, "put", lambda _, key, value: put.append(key))
        rig.look()
        assert len(rig.titles()) == 6
        rig.drain(failure(0, "root5"))  # the first event of its kind
    assert rig.alerts() == {"Root": 1}
    assert (compiled, put) == ([], []), "nothing was left to compile here"


def test_the_process_that_compiles_is_told_no_secrets_and_yields_to_all_others(tmp_path, monkeypatch):
    monkeypatch.setenv("SOC_STORE__PASSWORD", "hunter2")
    settings = Settings(data_dir=tmp_path, store={"url": "http://es:9200", "password": "hunter2"})
    process = Apart(settings)._started()
    try:
        environ = Path(f"/proc/{process.pid}/environ")
        while not (said := environ.read_text()):  # it is just beginning
            time.sleep(0.01)
        known = dict(line.partition("=")[::2] for line in said.split("\0"))
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 5
    finally:
        process.kill()
        process.wait()
    assert {name.split("__")[0] for name in known if name.startswith("SOC_")} == {"SOC_DATA_DIR", "SOC_DETECT"}
    assert "hunter2" not in str(known)
    assert known["PATH"] == os.environ["PATH"]


def test_what_cannot_be_compiled_is_not_tried_here(rig, folder):
    rig.compile_apart()
    rig.reloader._apart._patience_s = 0.01
    (folder / "root.yml").write_text(ROOT)
    rig.reloader.look()
    with pytest.raises(ConfigError, match="took more than"):
        rig.reloader.look()
    rig.pipeline.step()
    assert rig.titles() == ["Many failed sign-ins"]
    assert rig.faults()[0].startswith("the rules that were running go on: compiling them took more than")


def test_a_process_that_is_killed_is_said_and_one_that_was_closed_starts_none(tmp_path):
    apart = Apart(Settings(data_dir=tmp_path))
    errors = []

    def run():
        try:
            apart.run()
        except ConfigError as error:
            errors.append(str(error))

    running = threading.Thread(target=run)
    running.start()
    while apart._process is None:
        time.sleep(0.01)
    apart._process.kill()
    running.join()
    assert errors == ["compiling them was ended by Killed: there may be too little memory"]
    process = apart._process
    apart.close()
    assert apart.run() is False
    assert apart._process is process


def test_rules_that_cannot_be_looked_at_are_said_and_looked_at_no_more_often_than_others(rig):
    """A thread that asks without a pause would hold up the detector."""
    settings, rig.reloader._settings = rig.reloader._settings, None
    before = REGISTRY.get_sample_value("soc_detector_reload_failures_total")

    def failures() -> float:
        return REGISTRY.get_sample_value("soc_detector_reload_failures_total") - before

    began = time.monotonic()
    with reloading(rig.reloader, look_s=0.1):
        rig.reloader.asked.set()
        while failures() < 5:
            time.sleep(0.01)
    assert failures() <= 2 + (time.monotonic() - began) / 0.1
    rig.pipeline.step()
    [fault] = rig.faults()
    assert fault.startswith("the rules that were running go on: AttributeError")
    rig.reloader._settings = settings
    rig.look()
    assert rig.faults() == []


def test_a_rules_folder_that_cannot_be_read_is_said_and_the_rules_go_on(rig, tmp_path):
    settings = rig.reloader._settings
    unreadable = tmp_path / ("x" * 300)
    rig.reloader._settings = settings.model_copy(update={"data_dir": unreadable})
    rig.reloader.asked.set()
    with pytest.raises(ConfigError, match="cannot be read"):
        rig.reloader.look()
    rig.pipeline.step()
    assert rig.titles() == ["Many failed sign-ins"]
    assert "cannot be read: File name too long" in rig.faults()[0]
    rig.reloader._settings = settings
    rig.look()
    assert rig.faults() == []


def test_a_rules_folder_that_cannot_be_read_stops_no_start(tmp_path):
    """One that the detector may not enter, say."""
    chosen = choose(Settings(data_dir=tmp_path, detect={"rules": [tmp_path / ("x" * 300), CONTENT]}))
    [error] = chosen.ruleset.errors
    assert error.reason == "cannot be read: File name too long"
    assert len(chosen.docs) > 20
    assert stamps(Settings(data_dir=tmp_path, detect={"rules": [tmp_path / ("x" * 300)]}))
