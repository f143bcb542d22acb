"""`kill -9` of the collector, the detector or the API, again and again while lines go through: nothing lost, nothing twice."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time

import pytest
from kept import InCluster, InFiles, Kept, last_row, position, rows
from servers import Product, eventually, stop

from bench import workload
from rules.load.folders import CONTENT, load
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import Stage
from soc.model.tuning import RuleException, RuleSetting, exception_body, setting_body
from soc.store.base import PolicyStore
from soc.store.elastic import open as elastic
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.sqlite import open_stores

pytestmark = pytest.mark.server


def tune(policies: PolicyStore) -> None:
    """Every second rule in test, and of all rules some attackers hidden."""
    for n, rule in enumerate(load([CONTENT]).rules):
        setting = RuleSetting(rule.id, Stage.TEST if n % 2 else Stage.LIVE)
        exception = RuleException(f"x-{n}", rule.id, "source.ip:203.0.113.0/29", "a drill", "lan")
        policies.put(Policy(PolicyKind.RULE, rule.id, 1, setting_body(setting), "lan", 0))
        policies.put(Policy(PolicyKind.EXCEPTION, exception.id, 1, exception_body(exception), "lan", 0))


@pytest.fixture
def kept(request, store, product) -> Kept:
    if not store:
        tune(open_stores(product.data_dir).policies)
        return InFiles(product.data_dir)
    cluster = request.getfixturevalue("elastic")
    with connect(cluster.url) as client:
        setup.install(client)
        tune(elastic.open_stores(client).policies)
    return InCluster(cluster)


@pytest.mark.parametrize(
    ("store", "count", "kills"),
    [
        ("sqlite", 200_000, {"collect": 9, "detect": 9, "serve": 2}),
        ("elasticsearch", 60_000, {"collect": 3, "detect": 5, "serve": 1}),
    ],
    indirect=["store"],
    ids=["sqlite", "elasticsearch"],
)
def test_a_killed_run_gives_what_an_undisturbed_run_gives(product, kept, tmp_path, count, kills):
    lines = list(workload.lines(count, seed=11, attacks=0.02))
    whole = tmp_path / "whole.log"
    whole.write_text("".join(lines))
    calm = Product(tmp_path / "calm" / "data")  # on the embedded store, whatever the other run is on
    tune(open_stores(calm.data_dir).policies)
    calm.soc("replay", str(whole), "--source-type", "nginx.access", "--source", "portal", "--org", "hungyen")
    shutil.copytree(calm.data_dir / "keys", product.data_dir / "keys")  # the same tokens, to compare documents

    log = tmp_path / "access.log"
    log.touch()
    product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--path", str(log))
    rng = random.Random(5)
    victims = rng.sample(list(kills), counts=list(kills.values()), k=sum(kills.values()))
    processes = {verb: start(product, verb) for verb in kills}
    try:
        for i, victim in enumerate(victims):
            before = rows(product.data_dir), position(product.data_dir)
            with log.open("a") as file:
                file.writelines(lines[i * count // len(victims) : (i + 1) * count // len(victims)])
            eventually(lambda: rows(product.data_dir) > before[0], 60, "the collector is at work")  # noqa: B023
            eventually(lambda: position(product.data_dir) > before[1], 60, "the detector is at work")  # noqa: B023
            time.sleep(rng.uniform(0.0, 0.8))
            processes[victim].kill()
            processes[victim].wait()
            processes[victim] = start(product, victim)
        eventually(lambda: rows(product.data_dir) >= count, 300, "all lines are collected")
        last = last_row(product.data_dir)
        eventually(lambda: position(product.data_dir) >= last, 300, "all events are examined")
        eventually(lambda: kept.stored() >= count, 300, "all events can be found")
    finally:
        for process in processes.values():
            stop(process)

    undisturbed, disturbed = InFiles(calm.data_dir).outcome(), kept.outcome()
    assert len(undisturbed.alerts) > 50
    assert disturbed.events == undisturbed.events
    assert disturbed.alerts == undisturbed.alerts
    assert disturbed.findings == undisturbed.findings
    assert disturbed.hidden == undisturbed.hidden
    assert {alert[-1] for alert in undisturbed.alerts} == {"live", "test"}
    assert sum(row[-1] for row in undisturbed.hidden) > 100


def start(product: Product, verb: str) -> subprocess.Popen[bytes]:
    with product.log.open("ab") as output:
        return subprocess.Popen([sys.executable, "-m", "soc", verb], env=product.env, stdout=output, stderr=output)
