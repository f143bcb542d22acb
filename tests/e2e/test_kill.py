"""`kill -9` of the collector, the detector or the API, twenty times while 200,000 lines go through: nothing lost, nothing twice."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers import Product, eventually, stop

from bench import workload
from rules.load import CONTENT, load
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import Stage
from soc.model.tuning import RuleException, RuleSetting, exception_body, setting_body
from soc.store.sqlite import open_stores

pytestmark = pytest.mark.server

LINES, KILLS = 200_000, 20


def stored(data_dir: Path) -> dict[str, str]:
    """Event id -> document, of every day."""
    events = {}
    for path in sorted((data_dir / "events").glob("*.db")):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        events |= dict(db.execute("SELECT id, doc FROM event"))
        db.close()
    return events


def detected(data_dir: Path) -> tuple[list[tuple], set[tuple], set[tuple]]:
    """Alerts without the wall clock of their raising, findings, and what exceptions hid."""
    db = sqlite3.connect(f"file:{data_dir / 'detector.db'}?mode=ro", uri=True)
    alerts = db.execute(
        "SELECT id, rule_id, rule_hash, org, entity, first_seen, last_seen, count, stage FROM alert ORDER BY id"
    ).fetchall()
    findings = set(db.execute("SELECT alert_id, event_id, rule_hash, ts, matched FROM finding"))
    hidden = set(db.execute("SELECT rule_id, exception_id, org, day, events FROM hidden"))
    db.close()
    return alerts, findings, hidden


def tune(data_dir: Path) -> None:
    """Every second rule in test, and of all rules some attackers hidden."""
    policies = open_stores(data_dir).policies
    for n, rule in enumerate(load([CONTENT]).rules):
        setting = RuleSetting(rule.id, Stage.TEST if n % 2 else Stage.LIVE)
        exception = RuleException(f"x-{n}", rule.id, "source.ip:203.0.113.0/29", "a drill", "lan")
        policies.put(Policy(PolicyKind.RULE, rule.id, 1, setting_body(setting), "lan", 0))
        policies.put(Policy(PolicyKind.EXCEPTION, exception.id, 1, exception_body(exception), "lan", 0))


def total(path: Path, sql: str) -> int:
    """0 while the file or its table is not there yet."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return int(db.execute(sql).fetchone()[0])
        finally:
            db.close()
    except sqlite3.OperationalError:
        return 0


def rows(data_dir: Path) -> int:
    """Events that the collector has committed."""
    return sum(total(path, "SELECT count(*) FROM event") for path in (data_dir / "events").glob("*.db"))


def last_row(data_dir: Path) -> int:
    """The number of the last event's row: larger than how many there are, as lines that were read again use up numbers."""
    return sum(total(path, "SELECT max(seq) FROM event") for path in (data_dir / "events").glob("*.db"))


def position(data_dir: Path) -> int:
    """The number of the last row that the detector has committed."""
    return total(data_dir / "detector.db", "SELECT coalesce(sum(position), 0) FROM cursor")


@pytest.mark.timeout(900)
def test_a_killed_run_gives_what_an_undisturbed_run_gives(tmp_path):
    lines = list(workload.lines(LINES, seed=11, attacks=0.02))
    whole = tmp_path / "whole.log"
    whole.write_text("".join(lines))
    calm = Product(tmp_path / "calm" / "data")
    tune(calm.data_dir)
    calm.soc("replay", str(whole), "--source-type", "nginx.access", "--source", "portal", "--org", "hungyen")

    disturbed = Product(tmp_path / "disturbed" / "data")
    disturbed.data_dir.mkdir(parents=True)
    shutil.copytree(
        calm.data_dir / "keys", disturbed.data_dir / "keys"
    )  # the same tokens, so that documents can be compared
    tune(disturbed.data_dir)
    log = tmp_path / "access.log"
    log.touch()
    disturbed.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--path", str(log))

    def start(verb: str) -> subprocess.Popen[bytes]:
        with disturbed.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "soc", verb], env=disturbed.env, stdout=output, stderr=output
            )

    rng = random.Random(5)
    processes = {verb: start(verb) for verb in ("collect", "detect", "serve")}
    try:
        killed = []
        for i in range(KILLS):
            before = rows(disturbed.data_dir), position(disturbed.data_dir)
            with log.open("a") as file:
                file.writelines(lines[i * LINES // KILLS : (i + 1) * LINES // KILLS])
            eventually(lambda: rows(disturbed.data_dir) > before[0], 60, "the collector is at work")  # noqa: B023
            eventually(lambda: position(disturbed.data_dir) > before[1], 60, "the detector is at work")  # noqa: B023
            time.sleep(rng.uniform(0.0, 0.8))
            victim = rng.choices(("collect", "detect", "serve"), (9, 9, 2))[0]
            processes[victim].kill()
            processes[victim].wait()
            processes[victim] = start(victim)
            killed.append(victim)
        assert {"collect", "detect"} <= set(killed)
        eventually(lambda: rows(disturbed.data_dir) >= LINES, 300, "all lines are stored")
        last = last_row(disturbed.data_dir)
        eventually(lambda: position(disturbed.data_dir) >= last, 300, "all events are examined")
    finally:
        for process in processes.values():
            stop(process)

    assert stored(disturbed.data_dir) == stored(calm.data_dir)
    calm_alerts, calm_findings, calm_hidden = detected(calm.data_dir)
    alerts, findings, hidden = detected(disturbed.data_dir)
    assert len(calm_alerts) > 50
    assert alerts == calm_alerts
    assert findings == calm_findings
    assert hidden == calm_hidden
    assert {alert[-1] for alert in alerts} == {"live", "test"}
    assert sum(row[-1] for row in hidden) > 500
