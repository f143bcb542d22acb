"""The cache of compiled rules: the same rules from it as without it, and nothing that is wrong with it does any harm."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from rules.load import cache as caching
from rules.load.cache import Cache
from rules.load.folders import CONTENT, compiler_version, load
from rules.rule import RuleSet

RULE = "title: T{n}\nlogsource: {{product: x}}\ndetection:\n  s: {{f|contains: [a{n}, b]}}\n  condition: s\n"
BAD = "title: t\nlevel: huge\nlogsource: {product: x}\ndetection: {s: {f: 1}, condition: s}\n"
PIPELINE = "transformations: [{type: field_name_mapping, mapping: {f: F}}]\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.yml").write_text(RULE.format(n=n))
    (folder / "bad.yml").write_text(BAD)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def cached(rules: Path, folder: Path, **more: object) -> tuple[RuleSet, list[tuple[int, int]]]:
    """What is loaded, and which files were compiled for it."""
    compiled: list[tuple[int, int]] = []
    with Cache(folder) as cache:
        found = load([rules], cache=cache, progress=lambda *so_far: compiled.append(so_far), **more)  # type: ignore[arg-type]
    return found, compiled


def same(one: RuleSet, other: RuleSet) -> bool:
    return one.rules == other.rules and list(map(str, one.errors)) == list(map(str, other.errors))


def test_from_the_cache_come_the_same_rules_and_faults(rules: Path, folder: Path) -> None:
    plain = load([rules])
    first, compiled = cached(rules, folder)
    assert same(first, plain)
    assert compiled == [(1, 4), (2, 4), (3, 4), (4, 4)]
    again, compiled = cached(rules, folder)
    assert same(again, plain)
    assert compiled == []
    assert [str(error) for error in again.errors] == [f"{rules}/bad.yml:2:1: 'huge' is not a valid Sigma rule level"]


def test_every_rule_that_comes_with_us_can_be_kept(folder: Path) -> None:
    assert same(cached(CONTENT, folder)[0], load([CONTENT]))
    again, compiled = cached(CONTENT, folder)
    assert same(again, load([CONTENT]))
    assert compiled == []


def test_an_edited_file_alone_is_compiled_anew(rules: Path, folder: Path) -> None:
    cached(rules, folder)
    (rules / "1.yml").write_text(RULE.format(n="one"))
    found, compiled = cached(rules, folder)
    assert compiled == [(1, 1)]
    assert [rule.title for rule in found.rules] == ["T0", "Tone", "T2"]


def test_a_file_may_move_and_its_rules_and_faults_name_the_new_place(rules: Path, folder: Path, tmp_path: Path) -> None:
    cached(rules, folder)
    moved = rules.rename(tmp_path / "moved")
    found, compiled = cached(moved, folder)
    assert compiled == []
    assert {rule.path for rule in found.rules} == {str(moved / f"{n}.yml") for n in range(3)}
    assert str(found.errors[0]).startswith(f"{moved}/bad.yml:2:1: ")


def test_other_pipelines_and_another_compiler_give_other_entries(
    rules: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = tmp_path / "p.yml"
    pipeline.write_text(PIPELINE)
    cached(rules, folder)
    for text in (PIPELINE, PIPELINE.replace("F", "G")):
        pipeline.write_text(text)
        found, compiled = cached(rules, folder, pipelines=[pipeline])
        assert len(compiled) == 4
        assert same(found, load([rules], [pipeline]))
    monkeypatch.setattr("rules.load.folders.compiler_version", lambda: "later")
    assert len(cached(rules, folder)[1]) == 4
    assert compiler_version() == compiler_version()


def test_without_a_change_neither_pysigma_nor_yaml_is_imported(rules: Path, folder: Path) -> None:
    cached(rules, folder)
    script = (
        "import sys; from pathlib import Path; from rules.load.cache import Cache; from rules.load.folders import load\n"
        "with Cache(Path(sys.argv[2])) as cache: found = load([Path(sys.argv[1])], cache=cache)\n"
        "assert len(found.rules) == 3\n"
        "print([name for name in ('sigma', 'yaml', 'pyparsing') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, rules, folder], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def edit(folder: Path, change: str) -> None:
    with sqlite3.connect(folder / "compiled.sqlite") as db:
        db.execute(change)
    db.close()


DAMAGE = {
    "no database": lambda file: file.write_bytes(b"nothing of the kind" * 100),
    "empty": lambda file: file.write_bytes(b""),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:5000]),
    "overwritten in the middle": lambda file: file.write_bytes(
        (whole := file.read_bytes())[: len(whole) // 3] + b"\xff" * 3000 + whole[len(whole) // 3 + 3000 :]
    ),
    "edited by hand": lambda file: edit(file.parent, "UPDATE blobs SET value = x'5b5d'"),
    "values of another type": lambda file: (
        edit(file.parent, "DROP TABLE blobs")
        or edit(file.parent, "CREATE TABLE blobs (key, value, checksum, size, used_day)")
    ),
    "another table": lambda file: edit(file.parent, "ALTER TABLE blobs RENAME COLUMN value TO other"),
    "a view": lambda file: (
        edit(file.parent, "DROP TABLE blobs")
        or edit(file.parent, "CREATE VIEW blobs AS SELECT 'k' key, x'00' value, x'00' checksum, 1 size, 1 used_day")
    ),
    "a folder": lambda file: file.unlink() or file.mkdir(),
}


@pytest.mark.parametrize("name", list(DAMAGE))
def test_a_damaged_cache_is_made_anew(rules: Path, folder: Path, name: str) -> None:
    plain = load([rules])
    cached(rules, folder)
    DAMAGE[name](folder / "compiled.sqlite")
    assert same(cached(rules, folder)[0], plain)
    assert same(cached(rules, folder)[0], plain)
    assert len(cached(rules, folder)[1]) == (4 if name == "a folder" else 0), "it does not mend itself"


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"[[], 1]",
        b'[["[]"], []]',
        b"\xff",
        b"[" * 1000 + b"]" * 1000,
        b'[[], ["Compiled"]]',
    ],
)
def test_what_carries_the_right_checksum_and_is_no_rule_is_not_believed(
    rules: Path, folder: Path, forged: bytes
) -> None:
    cached(rules, folder)
    with sqlite3.connect(folder / "compiled.sqlite") as db:
        keys = [key for (key,) in db.execute("SELECT key FROM blobs")]
    db.close()
    with Cache(folder) as cache:
        for key in keys:
            cache.put(key, forged)
    found, compiled = cached(rules, folder)
    assert same(found, load([rules]))
    assert len(compiled) == 4


def test_any_value_of_a_packed_rule_may_be_anything_and_is_refused_or_a_rule(rules: Path) -> None:
    from rules.compile.build import Builder
    from rules.compile.draft import Compiled, Unpacker, pack

    packed = pack(Builder(None).build((rules / "0.yml").read_bytes()))
    assert packed is not None
    whole = orjson.loads(packed)

    def everywhere(value: object):  # each time with another node replaced
        yield from (None, 0, -1, 1.5, "x", [], {}, True, ["Check", 1, 2], 10**9)
        if isinstance(value, list):
            for n, below in enumerate(value):
                for changed in everywhere(below):
                    yield [*value[:n], changed, *value[n + 1 :]]

    tried = refused = 0
    unpacker = Unpacker()
    for changed in everywhere(whole):
        tried += 1
        try:
            assert isinstance(unpacker.compiled(orjson.dumps(changed)), Compiled)
        except ValueError:
            refused += 1
    assert refused > 0.85 * tried  # the rest changes a value to another of its type


def test_what_nobody_may_write_is_done_without(rules: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found, compiled = cached(rules, tmp_path / "file" / "cache")
    assert same(found, load([rules]))
    assert len(compiled) == 4
    with Cache(tmp_path / "file" / "cache") as cache:
        cache.put("a", b"1")
        assert cache.get("a") == b"1"  # until it is closed
    assert "Not a directory" in str(cache.trouble)


def test_the_folder_is_closed_to_others(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    with Cache(folder) as cache:
        cache.put("a", b"1")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_while_another_process_writes_it_is_done_without(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "_WAIT_S", 0.05)
    with Cache(folder) as cache:
        cache.put("a", b"1")
    other = sqlite3.connect(folder / "compiled.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    with Cache(folder) as cache:
        assert cache.get("a") is None
        cache.put("b", b"2")
    assert "locked" in str(cache.trouble)
    other.rollback()
    other.close()
    with Cache(folder) as cache:
        assert (cache.get("a"), cache.get("b"), cache.trouble) == (b"1", None, None)


def test_what_is_unused_for_long_and_what_is_too_much_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = 86_400

    def at(days: float) -> Cache:
        return Cache(folder, lambda: (1000 + days) * day)

    with at(0) as cache:
        cache.put("old", b"1")
        cache.put("used", b"2")
    with at(20) as cache:
        assert cache.get("used") == b"2"
    with at(35) as cache:
        cache.put("new", b"3")
    with at(35) as cache:
        assert [cache.get(key) for key in ("old", "used", "new")] == [None, b"2", b"3"]
    monkeypatch.setattr(caching, "MAX_BYTES", 9)
    with at(36) as cache:
        cache.put("large", b"9" * 8)
    with at(36) as cache:
        assert [cache.get(key) for key in ("used", "new", "large")] == [None, b"3", b"9" * 8]


def test_large_values_are_kept_and_larger_ones_are_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MAX_VALUE", 5 << 20)
    with Cache(folder) as cache:
        cache.put("large", b"x" * (5 << 20))
        cache.put("larger", b"x" * (5 << 20) + b"x")
    with Cache(folder) as cache:
        assert cache.get("large") == b"x" * (5 << 20)
        assert cache.get("larger") is None


BASES = "---\n".join(
    f"title: {name}\nname: {name}\nlogsource: {{product: x}}\ndetection: {{s: {{f: {name}}}, condition: s}}\n"
    for name in "abc"
)
CORRELATIONS = [
    "{type: event_count, rules: [a], timespan: 1m, condition: {gt: 2.5, lte: 9}}",
    "{type: value_count, rules: [a, b], timespan: 1m, group-by: [x], condition: {neq: 3, field: [f, g]}, "
    "aliases: {x: {a: f, b: g}}}",
    "{type: value_percentile, rules: [a], timespan: 1m, condition: {lt: -1.5, field: f, percentile: 95}}",
    "{type: temporal, rules: [a, b, c], timespan: 1d, condition: a and (b or not c)}",
    "{type: temporal_ordered, rules: [a, b], timespan: 1d, generate: true}",
    "{type: absence, rules: [a, b], timespan: 1h, group-by: [x]}",
]


def test_correlations_of_every_kind_are_kept(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "rules").mkdir()
    texts = [f"title: t{n}\nname: t{n}\ncorrelation: {one}\n" for n, one in enumerate(CORRELATIONS)]
    (tmp_path / "rules" / "all.yml").write_text("---\n".join([BASES, *texts]))
    first, _ = cached(tmp_path / "rules", folder)
    assert [str(error) for error in first.errors] == []
    assert len(first.rules) == 3 + len(CORRELATIONS)
    again, compiled = cached(tmp_path / "rules", folder)
    assert same(again, first)
    assert compiled == []
