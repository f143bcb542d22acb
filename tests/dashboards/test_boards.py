"""The dashboards: written anew when a board changes, of metrics that exist, and each panel helps whoever looks at it."""

from __future__ import annotations

import json
import re

import pytest
from console_routes import paths
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import REGISTRY
from test_prometheus import RULES, asked, metrics

from dashboards.build import BOARDS, FOLDER, files
from dashboards.panel import Ask
from soc import telemetry

PANELS = [(board, panel) for board in BOARDS for panel in board.panels]
NAMES = [f"{board.name}: {panel.title[1]}" for board, panel in PANELS]
FILES = sorted(FOLDER.glob("*.json"))
GRAFANAS_UNITS = {"short", "percentunit", "ops", "reqps", "s", "bytes"}
# In no dashboard and no alert, and why.
UNUSED = {
    "soc_detector_ready": "what waits for the detector asks for it, such as a start script",
    "soc_detector_tuning_versions": "tells that a change of the tuning has arrived",
    "soc_detector_rules_taken_up_timestamp_seconds": "tells that a change of the rules has arrived",
}
MARKS = set("àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵđ")


def test_what_is_committed_is_what_would_be_written():
    stale = [path.name for path, text in files().items() if not path.exists() or path.read_text() != text]
    gone = [path.name for path in FOLDER.glob("*") if path not in files()]
    assert (stale, gone) == ([], []), "`make dashboards-json` writes them anew"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_grafanas_own_model_reads_them_and_loses_nothing(path):
    assert _read(path.read_text()) == json.loads(path.read_text())


@pytest.mark.parametrize(("name", "wrong"), [("expr", "exprs"), ("unit", "units"), ("gridPos", "gridPosition")])
def test_a_name_that_grafana_does_not_know_is_noticed(name, wrong):
    text = FILES[0].read_text().replace(f'"{name}":', f'"{wrong}":')
    assert _read(text) != json.loads(text)


def _read(text: str) -> dict:
    """A dashboard as Grafana's model, with those of its panels and data sources, writes it again."""
    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(json.loads(text))))


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=NAMES)
def test_every_panel_has_a_unit_and_says_in_both_languages_what_it_shows(board, panel):
    (vi, en), (about_vi, about_en) = panel.title, panel.about
    assert panel.unit in GRAFANAS_UNITS
    assert MARKS & set((vi + about_vi).lower()), "Vietnamese"
    assert not MARKS & set((en + about_en).lower()), "English"
    assert about_vi.endswith(".")
    assert about_en.endswith(".")


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=NAMES)
def test_every_panel_leads_to_a_page_of_the_console(board, panel):
    path = panel.page.split("?")[0].replace("${series}", "x")
    assert any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path) for known in paths()), path


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=NAMES)
def test_every_metric_is_in_the_table(board, panel):
    for ask in panel.asks:
        if isinstance(ask, Ask):
            assert asked(ask.expr)
            assert asked(ask.expr) <= metrics()


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=NAMES)
def test_who_chooses_a_province_sees_its_communes_and_no_other_province(board, panel):
    for ask in panel.asks:
        for matcher in re.findall(r'\borg=~"([^"]*)"', ask.expr if isinstance(ask, Ask) else ""):
            for chosen in ("H07", "(H07|G01)"):  # as Grafana writes one and several
                shown = [org for org in ("H07", "H07.12.3", "H071", "H08.07") if _matches(matcher, chosen, org)]
                assert shown == ["H07", "H07.12.3"]


def _matches(matcher: str, chosen: str, org: str) -> bool:
    return re.fullmatch(matcher.replace("$unit", chosen), org) is not None


def test_no_metric_is_there_for_nobody():
    assert telemetry
    expressions = [ask.expr for _, panel in PANELS for ask in panel.asks if isinstance(ask, Ask)]
    used = set().union(*map(asked, [*expressions, *(rule["expr"] for rule in RULES)]))
    families = [family for family in REGISTRY.collect() if family.name.startswith("soc_")]
    parts = ("", "_total", "_bucket", "_count", "_sum")
    idle = {family.name for family in families if not any(family.name + part in used for part in parts)}
    assert idle == set(UNUSED)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_no_chooser_changes_nothing(path):
    board = json.loads(path.read_text())
    asked_for = json.dumps(board["panels"])
    names = [one["name"] for one in board["templating"]["list"]]
    assert [name for name in names if not re.search(rf"\$\{{?{name}\b", asked_for)] == []
