"""Processing pipelines by name or file, and what tells that they have changed."""

from __future__ import annotations

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rules.compile.pipeline import fingerprint, offered, pipeline_of, split
from rules.engine import Engine
from rules.load.folders import Folder, load, load_folders
from soc.errors import ConfigError

RULE = """
title: A
id: 3f6e8f0a-0000-4000-8000-000000000001
logsource: {product: windows}
detection: {s: {CommandLine|contains: a}, condition: s}
"""
RENAME = "name: p\npriority: 1\ntransformations: [{id: m, type: field_name_mapping, mapping: {CommandLine: %s}}]\n"
PLUGIN = """
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import FieldMappingTransformation

def their_windows() -> ProcessingPipeline:
    return ProcessingPipeline(name="t", priority=20, items=[ProcessingItem(FieldMappingTransformation({"CommandLine": "their"}))])

def broken() -> ProcessingPipeline:
    raise RuntimeError("needs another pySigma")
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A package of pipelines, installed as those on PyPI are."""
    folder = tmp_path / "site" / "sigma" / "pipelines" / "theirs"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield folder
    sys.modules.pop("sigma.pipelines.theirs", None)


def test_ours_are_offered_and_found_by_name():
    assert offered()["ecs_web"] == "govsoc"
    assert pipeline_of(["ecs_web"]) is not None
    assert pipeline_of([]) is None
    assert split(" ecs_web, /a/b.yml ,") == ["ecs_web", "/a/b.yml"]


def test_what_nobody_has_is_told_with_what_there_is():
    for name in ("nonsense", "no/such.yml", Path("gone.yml")):
        with pytest.raises(ConfigError, match=r"nonsense|such|gone"):
            pipeline_of([name])
    with pytest.raises(ConfigError, match=r"ecs_web.*make setup-sigma"):
        pipeline_of(["nonsense"])


def test_those_of_an_installed_package_are_found_by_name(plugin, tmp_path):
    (tmp_path / "a.yml").write_text(RULE)
    assert offered()["their_windows"] == "pySigma"
    for name in ("their_windows", "their-windows"):
        assert "their" in str(load([tmp_path / "a.yml"], [name]).rules[0].condition)
    with pytest.raises(ConfigError, match="needs another pySigma"):
        pipeline_of(["broken"])


@pytest.mark.long
def test_those_of_pysigma_work_on_every_rule_of_sigmahq(test_data):
    """Their packages ask for an older pySigma than ours."""
    if "ecs_windows" not in offered():
        pytest.skip("pySigma's pipelines are not installed: make setup-sigma")
    folder = test_data / "sigmahq" / "rules" / "windows"
    for name, field in (
        ("ecs_windows", "process.command_line"),
        ("sysmon", "CommandLine"),
        ("windows_logsources", "Image"),
    ):
        loaded = load([folder / "process_creation"], [name])
        assert loaded.errors == ()
        assert any(field in str(rule.condition) for rule in loaded.rules)
    assert {"windows_audit", "ecs_windows_old", "ecs_zeek_beats", "ecs_zeek_corelight"} <= offered().keys()
    assert all(
        pipeline_of([name]) for name in offered() if name in ("ecs_zeek_beats", "windows_audit", "ecs_kubernetes")
    )


def test_the_fingerprint_changes_with_what_a_pipeline_does(plugin, tmp_path):
    file = tmp_path / "p.yml"
    seen = set()
    for text in (RENAME % "a", RENAME % "b"):
        file.write_text(text)
        seen.add(fingerprint([file]))
        assert fingerprint([file]) == fingerprint([str(file)])
    seen |= {
        fingerprint([file, "ecs_web"]),
        fingerprint(["ecs_web", file]),
        fingerprint(["their_windows"]),
        fingerprint(["broken"]),
    }
    (plugin / "__init__.py").write_text(PLUGIN + "# changed")
    seen.add(fingerprint(["their_windows"]))
    assert len(seen) == 7
    assert fingerprint([]) == ""
    with pytest.raises(ConfigError, match=r"gone\.yml"):
        fingerprint(["gone.yml"])


def test_each_folder_goes_through_its_own(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.pipeline").write_text(RENAME % name)
        (tmp_path / name).mkdir()
        (tmp_path / name / "rule.yml").write_text(RULE.replace("0001", f"000{name}"))
    loaded = load_folders([Folder(tmp_path / name, [str(tmp_path / f"{name}.pipeline")]) for name in ("a", "b")])
    assert loaded.errors == ()
    assert ["field='a'" in str(loaded.rules[0].condition), "field='b'" in str(loaded.rules[1].condition)] == [
        True,
        True,
    ]
    assert [rule.pipelines for rule in loaded.rules] == [
        (str(tmp_path / "a.pipeline"),),
        (str(tmp_path / "b.pipeline"),),
    ]


def test_a_correlation_finds_its_rules_in_another_folder(tmp_path):
    (tmp_path / "theirs.yml").write_text(RULE)
    (tmp_path / "mine.yml").write_text(
        "title: Many\ncorrelation: {type: event_count, rules: [3f6e8f0a-0000-4000-8000-000000000001], group-by: [user],"
        " timespan: 1m, condition: {gte: 2}}"
    )
    loaded = load_folders([Folder(tmp_path / "mine.yml"), Folder(tmp_path / "theirs.yml", ["ecs_web"])])
    assert (loaded.errors, len(loaded.rules)) == ((), 2)


def test_what_modifiers_say_outlasts_a_new_name(tmp_path):
    (tmp_path / "p.pipeline").write_text(RENAME % "b")
    reference, dashes = (RULE.replace("0001", f"000{n}").replace("CommandLine|contains: a", search) for n, search in enumerate(
        ("a|cased|fieldref: CommandLine", "CommandLine|windash|contains: -a")
    ))  # fmt: skip
    (tmp_path / "rules.yml").write_text(f"{reference}---\n{dashes}")
    loaded = load([tmp_path / "rules.yml"], [tmp_path / "p.pipeline"])
    assert loaded.errors == ()
    engine = Engine(loaded, ZoneInfo("UTC"))
    hits = [
        len(engine.plan(fields).fire(fields)) for fields in ({"a": "x", "b": "x"}, {"a": "x", "b": "X"}, {"b": "/a"})
    ]
    assert hits == [1, 0, 1]
