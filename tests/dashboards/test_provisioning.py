"""What Grafana is given beside the dashboards: data sources that they ask, rules of metrics that exist, receivers that are there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from test_prometheus import asked, metrics

FOLDER = Path(__file__).parents[2] / "dashboards"


def read(name: str) -> dict:
    given = yaml.safe_load((FOLDER / "provisioning" / name).read_text())
    assert given["apiVersion"] == 1
    return given


SOURCES = {one["uid"]: one for one in read("datasources/govsoc.yml")["datasources"]}
RULES = [rule for group in read("alerting/rules.yml")["groups"] for rule in group["rules"]]


def test_each_kind_of_data_source_that_dashboards_choose_from_is_given():
    for path in sorted((FOLDER / "grafana").glob("*.json")):
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "datasource":
                fitting = [one for one in SOURCES.values() if one["type"] == variable["query"]]
                wanted = variable.get("regex", "").strip("/")
                assert [one for one in fitting if re.search(wanted, one["name"])], (path.stem, variable["name"])


def test_no_secret_is_written_down():
    for one in SOURCES.values():
        for secret in one.get("secureJsonData", {}).values():
            assert re.search(r"\$\{\w+\}", secret)
            assert one["access"] == "proxy", "the browser would have to know it"


def test_grafanas_rules_ask_metrics_that_exist_of_a_source_that_is_given():
    boards = {json.loads(path.read_text())["uid"] for path in (FOLDER / "grafana").glob("*.json")}
    assert len({rule["uid"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["annotations"]["__dashboardUid__"] in boards
        queries = {one["refId"]: one for one in rule["data"]}
        assert rule["condition"] in queries
        for one in queries.values():
            if one["datasourceUid"] != "__expr__":
                assert SOURCES[one["datasourceUid"]]["type"] == "prometheus"
                assert asked(one["model"]["expr"])
                assert asked(one["model"]["expr"]) <= metrics()
            else:
                assert one["model"]["expression"] in queries


def test_who_is_told_exists():
    points = read("alerting/contact-points.yml")
    names = {one["name"] for one in points["contactPoints"]}
    assert {one["receiver"] for one in points["policies"]} <= names


def test_the_dashboards_are_where_the_provider_looks():
    [provider] = read("dashboards/govsoc.yml")["providers"]
    assert provider["options"]["path"] in (FOLDER / "README.md").read_text()
