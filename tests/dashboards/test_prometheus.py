"""Prometheus' and Alertmanager's files: everybody can read them, each alert has a runbook and a test, and no metric is made up."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

from soc import telemetry
from tests.e2e.servers import need

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "dashboards" / "prometheus"
RULES = [
    rule for group in yaml.safe_load((FOLDER / "govsoc.rules.yml").read_text())["groups"] for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDS = {rule["record"] for rule in RULES if "record" in rule}
TESTS = {test["name"]: test for test in yaml.safe_load((FOLDER / "govsoc.tests.yml").read_text())["tests"]}


def metrics() -> set[str]:
    """The names that a scrape has, of the table."""
    assert telemetry
    families: list[Metric] = list(REGISTRY.collect())
    parts = ("", "_total", "_bucket", "_count", "_sum")
    return {family.name + part for family in families for part in parts if family.name.startswith("soc_")}


def asked(expr: str) -> set[str]:
    return set(re.findall(r"\bsoc_\w+", expr))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_metric_is_in_the_table(rule):
    assert asked(rule["expr"]) <= metrics()
    assert set(re.findall(r"\bgovsoc:\w+(?::\w+)?", rule["expr"])) <= RECORDS


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_to_do_in_both_languages(rule):
    said = rule["annotations"]
    assert set(said) == {"summary", "summary_vi", "description", "description_vi", "runbook_url"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    page, anchor = said["runbook_url"].split("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / page).read_text(), re.M)
    assert anchor in {heading.lower() for heading in headings}


def test_every_runbook_is_of_an_alert():
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.M)
    assert sorted(headings) == sorted(rule["alert"] for rule in ALERTS)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_test_in_which_it_is_quiet_and_one_in_which_it_fires(rule):
    asked_of = TESTS[rule["alert"]]["promql_expr_test"]
    assert all(f'alertname="{rule["alert"]}"' in one["expr"] for one in asked_of)
    assert [len(one["exp_samples"]) for one in asked_of] == [0, 1]


@pytest.mark.server
@pytest.mark.parametrize(
    "command",
    [
        "promtool check config prometheus/prometheus.yml",
        "promtool check rules prometheus/govsoc.rules.yml",
        "promtool test rules prometheus/govsoc.tests.yml",
        "amtool check-config alertmanager/alertmanager.yml",
    ],
)
def test_their_own_tools_accept_them(command):
    need(command.split()[0])
    done = subprocess.run(command.split(), cwd=FOLDER.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
