"""Importing packages: what is taken over, what is said, and what people have laid down that stays."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from rules.package.difference import Wanted, What
from rules.package.manifest import packages, read_package
from soc.errors import ConfigError, NotFound
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import Stage
from soc.model.tuning import RuleSetting, setting_body
from soc.service.packages import Options, find_orphans, keep, prepared, remove, roll_back
from soc.service.ruleset import choose, rules_dir
from soc.settings import Settings
from soc.store.sqlite import open_stores

NOW = 1_772_452_800_000


def id_of(n: int) -> str:
    return f"3f6e8f0a-0000-4000-8000-0000000000{n:02d}"


def rule(n: int, *, title: str = "", level: str = "high", product: str = "windows", status: str = "test", value="a"):
    return (
        f"title: {title or f'Rule {n}'}\nid: {id_of(n)}\nstatus: {status}\nauthor: Somebody Else\ndate: 2026-01-0{n % 9 + 1}\n"
        f"level: {level}\nlogsource: {{product: {product}}}\ndetection: {{s: {{CommandLine|contains: {value}}}, condition: s}}\n"
    )


def package(path: Path, rules: dict[str, str], **others: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in rules.items():
            archive.writestr(f"rules/{name}.yml", text)
        for name, text in others.items():
            archive.writestr(name.replace("__", "."), text)
    return path


class Desk:
    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder)
        folder.mkdir()
        self.stores = open_stores(folder)
        self.options = Options("sigmahq", "lan")

    def brings(self, source: Path, *, only_look: bool = False, **options):
        with prepared(self.settings, source, replace(self.options, **options), NOW) as coming:
            find_orphans(self.stores, coming)
            if not only_look:
                keep(self.settings, self.stores, coming)
        return coming

    def running(self) -> dict[str, str]:
        """Titles by id."""
        chosen = choose(self.settings)
        assert chosen.ruleset.errors == ()
        return {doc.id: doc.title for doc in chosen.docs if doc.package}

    def stages(self) -> dict[str, str]:
        return {one.id: one.body["stage"] for one in self.stores.policies.list(PolicyKind.RULE)}


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "data")


def test_imported_rules_run_in_test_with_author_and_licence(desk, tmp_path):
    source = package(
        tmp_path / "x.zip",
        {"a": rule(1), "b": rule(2)},
        LICENSE="Detection Rule License (DRL) 1.1",
        version__txt="r2026-07",
    )
    coming = desk.brings(source)
    assert [one.title for one in coming.difference.added] == ["Rule 1", "Rule 2"]
    assert desk.running() == {id_of(1): "Rule 1", id_of(2): "Rule 2"}
    assert desk.stages() == {id_of(1): "test", id_of(2): "test"}
    [policy] = desk.stores.policies.history(PolicyKind.RULE, id_of(1))
    assert policy.reason == "imported with the package sigmahq r2026-07"
    doc = next(one for one in choose(desk.settings).docs if one.id == id_of(1))
    assert (doc.author, doc.license, doc.package) == ("Somebody Else", "DRL-1.1", "sigmahq")
    [known] = packages(rules_dir(desk.settings.data_dir), [])
    assert (known.current.rules, known.current.release, known.previous) == (2, "r2026-07", None)
    assert (known.folder(rules_dir(desk.settings.data_dir)) / "LICENSE").read_text().startswith("Detection Rule")
    [entry] = desk.stores.audit.list(action="rules.import").items
    assert (entry.by, entry.target) == ("lan", "sigmahq")


def test_an_update_says_what_changed_and_leaves_what_people_have_laid_down(desk, tmp_path):
    desk.brings(package(tmp_path / "1.zip", {"a": rule(1), "b": rule(2), "c": rule(3), "d": rule(4)}))
    live = Policy(
        PolicyKind.RULE, id_of(1), 2, setting_body(RuleSetting("", Stage.LIVE, "low")), "lan", NOW, "it is good"
    )
    desk.stores.policies.put(live)
    desk.stores.policies.put(replace(live, id=id_of(4)))
    before = desk.stores.policies.revision()
    second = package(
        tmp_path / "2.zip",
        {"a": rule(1, value="b"), "b": rule(2, level="low"), "c": rule(3, title="Rule III"), "e": rule(5)},
    )
    seen = desk.brings(second, only_look=True)
    assert desk.stores.policies.revision() == before
    assert set(desk.running()) == {id_of(n) for n in (1, 2, 3, 4)}
    coming = desk.brings(second)
    assert seen.difference == coming.difference
    assert {one.after.id: one.what for one in coming.difference.changed} == {
        id_of(1): (What.DETECTION,), id_of(2): (What.LEVEL,), id_of(3): (What.TEXT,)
    }  # fmt: skip
    assert [one.id for one in coming.difference.added] == [id_of(5)]
    assert [one.id for one in coming.difference.removed] == [one.id for one in coming.orphans] == [id_of(4)]
    assert set(desk.running()) == {id_of(n) for n in (1, 2, 3, 5)}
    assert desk.stages() == {id_of(1): "live", id_of(2): "test", id_of(3): "test", id_of(4): "live", id_of(5): "test"}


def test_back_and_forth_with_one_command(desk, tmp_path):
    first, second = package(tmp_path / "1.zip", {"a": rule(1)}), package(tmp_path / "2.zip", {"b": rule(2)})
    desk.brings(first)
    with pytest.raises(ConfigError, match="no version before"):
        roll_back(desk.settings, desk.stores, "sigmahq", "lan", NOW)
    desk.brings(second)
    desk.brings(second)  # the same again is no new version
    for n in (1, 2, 1):
        roll_back(desk.settings, desk.stores, "sigmahq", "lan", NOW)
        assert list(desk.running()) == [id_of(n)]
    third = package(tmp_path / "3.zip", {"c": rule(3)})
    desk.brings(third)
    assert len([one for one in (rules_dir(desk.settings.data_dir) / "sigmahq").iterdir() if one.is_dir()]) == 2
    with pytest.raises(NotFound, match="there are sigmahq"):
        roll_back(desk.settings, desk.stores, "other", "lan", NOW)


def test_a_package_that_is_removed_leaves_what_was_laid_down(desk, tmp_path):
    desk.brings(package(tmp_path / "1.zip", {"a": rule(1), "b": rule(2)}))
    body = {"rule_id": id_of(2), "condition": "x:1", "reason": "r", "owner": "lan"}
    desk.stores.policies.put(Policy(PolicyKind.EXCEPTION, "e", 1, body, "lan", NOW))
    assert [one.id for one in remove(desk.settings, desk.stores, "sigmahq", "lan", NOW)] == [id_of(2)]
    assert desk.running() == {}
    assert not (rules_dir(desk.settings.data_dir) / "sigmahq").exists()
    assert not (desk.settings.data_dir / "rules-import").exists()
    assert len(desk.stages()) == 2


def test_only_what_is_wanted(desk, tmp_path):
    source = package(
        tmp_path / "1.zip",
        {"a": rule(1), "b": rule(2, product="linux"), "c": rule(3, level="low"), "d": rule(4, status="deprecated")},
    )
    coming = desk.brings(source, only_look=True)
    assert (len(coming.difference.added), coming.unwanted) == (3, 1)
    coming = desk.brings(source, wanted=Wanted({"high"}, {"windows"}, {"test"}))
    assert (list(desk.running()), coming.unwanted) == ([id_of(1)], 3)
    with pytest.raises(ConfigError, match="none is wanted"):
        desk.brings(source, wanted=Wanted({"critical"}))


def test_what_cannot_be_used_is_left_out_and_named(desk, tmp_path):
    rules = {"a": rule(1), "b": rule(2).replace("contains", "containz"), "c": "title: [", "d": "on: push\njobs: {}"}
    coming = desk.brings(package(tmp_path / "1.zip", rules))
    assert sorted((fault.path, fault.line) for fault in coming.faults) == [("rules/b.yml", 8), ("rules/c.yml", 2)]
    assert list(desk.running()) == [id_of(1)]
    assert coming.package.current.left_out == 2


CORRELATION = (
    f"title: Several\nid: {id_of(7)}\nstatus: test\nlevel: high\n"
    "correlation: {type: event_count, rules: [%s], group-by: [User], timespan: 1m, condition: {gte: 2}}\n"
)
FILTER = (
    f"title: Not ours\nid: {id_of(8)}\nlogsource: {{product: windows}}\n"
    f"filter: {{rules: [{id_of(1)}], ours: {{User: backup}}, condition: not ours}}\n"
)


def test_what_hangs_on_a_rule_that_is_left_out_is_left_out_too(desk, tmp_path):
    """The base rule is good, and lies in one file with a bad one."""
    bad = rule(2).replace("contains", "containz")
    rules = {"base": f"{rule(1)}---\n{bad}", "corr": CORRELATION % id_of(1), "c": rule(3)}
    coming = desk.brings(package(tmp_path / "1.zip", rules))
    assert [one.id for one in coming.difference.added] == list(desk.running()) == [id_of(3)]
    assert sorted(fault.path for fault in coming.faults) == ["rules/base.yml", "rules/corr.yml"]
    assert coming.package.current.rules == 1


def test_rules_that_hang_on_each_other_without_end_are_refused(desk, tmp_path, monkeypatch):
    monkeypatch.setattr("soc.service.packages._ROUNDS", 2)
    with pytest.raises(ConfigError, match="more than 2 steps"):
        desk.brings(
            package(
                tmp_path / "1.zip",
                {
                    "a": f"{rule(1)}---\n{rule(2).replace('contains', 'containz')}",
                    "b": f"{rule(3)}---\n{CORRELATION % id_of(1)}",
                    "c": (CORRELATION % id_of(3)).replace(id_of(7), id_of(6)),
                },
            )
        )


def test_the_same_package_again_with_the_pipeline_that_was_missing(desk, tmp_path):
    pipeline = tmp_path / "p.yml"
    pipeline.write_text("name: p\npriority: 1\nvars: {who: a}\ntransformations: [{id: v, type: value_placeholders}]")
    needs = rule(2, value="'%who%'").replace("contains", "contains|expand")
    source = package(tmp_path / "1.zip", {"a": rule(1), "b": needs})
    assert len(desk.brings(source).faults) == 1
    coming = desk.brings(source, pipelines=(str(pipeline),))
    assert (coming.faults, coming.package.current.rules) == ([], 2)
    assert set(desk.running()) == {id_of(1), id_of(2)}
    roll_back(desk.settings, desk.stores, "sigmahq", "lan", NOW)
    assert set(desk.running()) == {id_of(1)}


def test_a_filter_comes_and_goes_with_its_package_and_is_no_rule(desk, tmp_path):
    source = package(tmp_path / "1.zip", {"a": rule(1), "f": FILTER})
    coming = desk.brings(source, wanted=Wanted({"high"}, {"windows"}, {"test"}))
    assert [(one.title, one.level) for one in coming.difference.added] == [("Not ours", "filter"), ("Rule 1", "high")]
    assert (coming.package.current.rules, coming.unwanted) == (1, 0)
    again = desk.brings(source)
    assert (again.difference.added, again.difference.removed, again.difference.changed) == ([], [], [])
    changed = desk.brings(package(tmp_path / "2.zip", {"a": rule(1), "f": FILTER.replace("backup", "nobody")}))
    assert [(one.after.id, one.what) for one in changed.difference.changed] == [(id_of(8), (What.DETECTION,))]
    gone = desk.brings(package(tmp_path / "3.zip", {"a": rule(1)}))
    assert [one.id for one in gone.difference.removed] == [id_of(8)]


def test_cases_beside_rules_are_no_rules(desk, tmp_path):
    coming = desk.brings(package(tmp_path / "1.zip", {"a": rule(1), "a.cases": "- name: fires\n  events: [{}]\n"}))
    assert (coming.faults, list(desk.running())) == ([], [id_of(1)])


def test_an_id_that_is_taken_is_left_out_and_named(desk, tmp_path):
    desk.brings(package(tmp_path / "1.zip", {"a": rule(1)}), name="first")
    (rules_dir(desk.settings.data_dir) / "mine.yml").write_text(rule(2))
    coming = desk.brings(package(tmp_path / "2.zip", {"a": rule(1), "b": rule(2), "c": rule(3), "again": rule(3)}))
    assert [one.id for one in coming.taken] == [id_of(1), id_of(2), id_of(3)]
    assert set(desk.running()) == {id_of(1), id_of(3)}


def test_a_package_has_a_pipeline_of_its_own(desk, tmp_path):
    pipeline = tmp_path / "p.yml"
    pipeline.write_text(
        "name: p\npriority: 1\ntransformations: [{id: m, type: field_name_mapping, mapping: {CommandLine: process.command_line}}]"
    )
    desk.brings(package(tmp_path / "1.zip", {"a": rule(1)}), pipelines=(str(pipeline),))
    (rules_dir(desk.settings.data_dir) / "mine.yml").write_text(rule(2))
    fields = {
        one.id: str(one.condition) for one in choose(desk.settings).ruleset.rules if one.id in (id_of(1), id_of(2))
    }
    assert "process.command_line" in fields[id_of(1)]
    assert "process.command_line" not in fields[id_of(2)]
    before = choose(desk.settings).hash
    pipeline.write_text(pipeline.read_text().replace("process.command_line", "process.args"))
    assert choose(desk.settings).hash != before


def test_rules_that_begin_live_have_no_stage_laid_down(desk, tmp_path):
    desk.brings(package(tmp_path / "1.zip", {"a": rule(1)}), stage=Stage.LIVE)
    desk.brings(package(tmp_path / "2.zip", {"a": rule(1), "b": rule(2)}))
    assert desk.stages() == {id_of(2): "test"}


@pytest.mark.parametrize("name", ["", "..", "a/b", "Ä", "x" * 51])
def test_a_name_that_cannot_be_one_is_refused(desk, tmp_path, name):
    with pytest.raises(ConfigError, match="lower-case"):
        desk.brings(package(tmp_path / "1.zip", {"a": rule(1)}), name=name)


def test_it_is_not_mixed_with_rules_of_ones_own_nor_where_it_would_not_run(desk, tmp_path):
    source = package(tmp_path / "1.zip", {"a": rule(1)})
    (rules_dir(desk.settings.data_dir) / "sigmahq").mkdir(parents=True)
    with pytest.raises(ConfigError, match="were not imported"):
        desk.brings(source)
    desk.settings = Settings(data_dir=desk.settings.data_dir, detect={"rules": [tmp_path]})
    with pytest.raises(ConfigError, match=r"detect\.rules"):
        desk.brings(source, name="other")
    named = {"rules": [tmp_path / "gone", rules_dir(desk.settings.data_dir)]}
    desk.settings = Settings(data_dir=desk.settings.data_dir, detect=named)
    desk.brings(source, name="other")
    desk.brings(package(tmp_path / "2.zip", {"a": rule(1, title="Newer")}), name="other")
    assert [doc.title for doc in choose(desk.settings).docs] == ["Newer"]


@pytest.mark.parametrize("spoiled", ["", "[]", '{"current": 5}', "folder", "stage"])
def test_a_spoiled_manifest_is_a_fault_and_the_other_rules_run(desk, tmp_path, spoiled):
    desk.brings(package(tmp_path / "1.zip", {"a": rule(1)}))
    path = rules_dir(desk.settings.data_dir) / "sigmahq" / "package.json"
    if spoiled in ("folder", "stage"):
        known = json.loads(path.read_text())
        known["current"][spoiled] = "../.."
        spoiled = json.dumps(known)
    path.write_text(spoiled)
    chosen = choose(desk.settings)
    [error] = chosen.ruleset.errors
    assert "import the package again" in error.reason
    assert len(chosen.docs) > 20
    with pytest.raises(ConfigError, match="import the package again"):
        choose(desk.settings, chosen.docs, again=True)


def test_there_is_no_package_where_there_is_none(tmp_path):
    assert read_package(tmp_path / "gone") is None
    assert packages(tmp_path / "gone", []) == []
