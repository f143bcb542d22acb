"""The engine against the reference matcher, through every door, on generated rules and events."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import orjson
import pytest
import yaml
from doors import EXAMPLES, Judge, event_of, rule_text
from effort import examples
from generated import CONDITIONS, ITEMS, SCALAR, SCALARS, WORD, events
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reference import Reference, flatten
from typer.testing import CliRunner

import rules as rules_package
from rules.load.folders import load
from soc.cli import build
from soc.model.event import flat, nested


def searched(whole: int, *, shrink: bool = True) -> settings:
    """The same examples in each normal run; others, and many, where one asks for them."""
    return settings(
        max_examples=EXAMPLES or examples(whole),
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[phase for phase in Phase if shrink or phase is not Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("modifier", ITEMS, ids=lambda name: name or "equals")
@given(data=st.data())
@searched(8)
def test_each_modifier(modifier: str, data: st.DataObject) -> None:
    strategy, near = ITEMS[modifier]
    found = data.draw(st.lists(strategy, min_size=1, max_size=5))
    needles = [text for _, value in found for text in near(value)]
    texts = [rule_text({"s": {key: value}, "condition": "s"}, f"r{n}") for n, (key, value) in enumerate(found)]
    Judge(texts).judge(data.draw(events(needles, SCALARS.get(modifier, SCALAR), 12, deep=True)))


SIMPLE = st.text(alphabet="bcB_", min_size=1, max_size=2)
ROW = st.dictionaries(
    st.sampled_from("fgh"),
    st.one_of(SIMPLE, SIMPLE, st.lists(st.one_of(SIMPLE, st.integers(4, 6)), max_size=3), st.integers(4, 6)),
    min_size=2,
)


@given(
    items=st.lists(
        st.tuples(st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased", "|gte"]), SIMPLE),
        min_size=1,
        max_size=3,
    ),
    rows=st.lists(ROW, min_size=5, max_size=10),
)
@searched(40)
def test_plain_ascii_events_which_the_sieve_may_drop(
    items: list[tuple[str, str]], rows: list[dict[str, object]]
) -> None:
    searches = [{f"{'fgh'[n]}{how}": 5 if how == "|gte" else text} for n, (how, text) in enumerate(items)]
    Judge([rule_text({"s": search, "condition": "s"}, f"r{n}") for n, search in enumerate(searches)]).judge(rows)


@given(rows=st.lists(ROW, min_size=8, max_size=20))
@searched(15)
def test_dense_field_references(rows: list[dict[str, object]]) -> None:
    hows = ["", "|contains", "|startswith", "|endswith", "|neq"]
    Judge([rule_text({"s": {f"f|fieldref{how}": "g"}, "condition": "s"}, f"r{n}") for n, how in enumerate(hows)]).judge(
        rows
    )


# How a number with an exponent or a fraction of zero is spelt is left open (docs/sigma.md).
KEYWORD = st.one_of(
    WORD.filter(lambda text: text and not set(text) <= set("0.eE+-")),
    st.sampled_from(["ab", "a*b", "*k", "s?", "404", "4*", "53"]),
)
SPOKEN = st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased", "|all", "|contains|all"])


@given(data=st.data())
@searched(20)
def test_keywords(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.lists(KEYWORD, min_size=2, max_size=3), min_size=1, max_size=5))
    texts = []
    for number, some in enumerate(words):
        how = data.draw(SPOKEN)
        search = {f"|{how[1:]}": some} if how else some if data.draw(st.booleans()) else some[0]
        texts.append(rule_text({"k": search, "condition": data.draw(st.sampled_from(["k", "not k"]))}, f"r{number}"))
    texts.append(rule_text({"k": [data.draw(st.integers(-2, 9)), "\u212a"], "condition": "k"}, "number"))
    Judge(texts).judge(data.draw(events([word for some in words for word in some], count=12)))


@st.composite
def searches(draw: st.DrawFn) -> tuple[object, list[str]]:
    """A search identifier of any shape, and the texts that events should be near of."""
    chosen = draw(st.lists(st.sampled_from(sorted(ITEMS)), min_size=1, max_size=3))
    items = [(draw(ITEMS[modifier][0]), ITEMS[modifier][1]) for modifier in chosen]
    needles = [text for (_, value), near in items for text in near(value)]
    maps = [{key: value} for (key, value), _ in items]
    shape = draw(st.integers(0, 3))
    if shape == 0:
        return maps, needles
    if shape == 1:
        return [{**maps[0], **maps[-1]}, "ab", *maps[1:]], [*needles, "ab"]
    return {key: value for one in maps for key, value in one.items()}, needles


@st.composite
def rules(draw: st.DrawFn, count: int) -> tuple[list[str], list[str]]:
    texts, needles = [], []
    for number in range(count):
        found = [draw(searches()) for _ in range(3)]
        needles += [text for _, near in found for text in near]
        condition = draw(
            st.one_of(st.sampled_from(CONDITIONS), st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=2))
        )
        source = draw(
            st.sampled_from([{"category": "test"}, {"product": "test"}, {"product": "other", "service": "test"}])
        )
        names = draw(st.sampled_from([("a", "b", "c"), ("a", "b", "c"), ("a_1", "b", "c")]))
        if names[0] != "a":
            condition = "1 of a* or b and not c"
        texts.append(
            rule_text(
                {**dict(zip(names, (s for s, _ in found), strict=True)), "condition": condition}, f"r{number}", source
            )
        )
    return texts, needles


def mixed(data: st.DataObject, count: int) -> tuple[list[str], list[dict[str, object]]]:
    texts, needles = data.draw(rules(count))
    return texts, data.draw(events(needles or ["a"], st.one_of(SCALAR, *SCALARS.values()), 12))


@given(data=st.data())
@searched(10)
def test_few_rules_of_any_kind(data: st.DataObject) -> None:
    texts, found = mixed(data, 3)
    Judge(texts).judge(found)


POOLED = pytest.mark.xdist_group("oracle-pool")  # one worker: what they share takes long to make


@pytest.fixture(scope="module")
def pool() -> tuple[list[str], list[dict[str, object]]]:
    """Fifty rules and more, and hundreds of events, each near some of the rules."""
    texts: list[str] = []
    found: list[dict[str, object]] = []

    @given(st.data())
    @settings(searched(30), max_examples=EXAMPLES or 30, phases=[Phase.generate])
    def fill(data: st.DataObject) -> None:
        some, near = mixed(data, 3)
        texts.extend(
            [
                yaml.safe_dump({**yaml.safe_load(text), "name": f"r{len(texts) + n}"}, allow_unicode=True)
                for n, text in enumerate(some)
            ]
        )
        found.extend(near)

    fill()
    return texts, found


@POOLED
def test_many_rules_and_events_together(pool) -> None:
    """So that what is remembered of one event is asked for by another, of equal classes and of unequal ones."""
    texts, found = pool
    assert len(texts) >= 50
    assert len(found) >= 100
    Judge(texts).judge(found, slow_of=10)


# What the engine remembers, and after how much it thinks anew. Not every name need be there.
SMALL = {
    "LONGEST_KEPT": 8,
    "ROUTES_KNOWN": 2,
    "ROOM": 3000,
    "LEARNT": 3,
    "GAUGED": 3,
}


@POOLED
def test_caches_that_overflow_all_the_time(pool, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = [import_module(module.name) for module in walk_packages(rules_package.__path__, "rules.")]
    changed = {name for module in modules for name in SMALL if hasattr(module, name)}
    for module in modules:
        for name in changed & vars(module).keys():
            monkeypatch.setattr(module, name, SMALL[name])
    assert "ROUTES_KNOWN" in changed
    assert len(changed) == len(SMALL)
    Judge(pool[0]).judge(pool[1], slow_of=10)


@POOLED
def test_the_command_says_the_same(pool, tmp_path: Path) -> None:
    texts, found = pool
    documents = [nested(fields) if number % 2 else fields for number, fields in enumerate(found)]
    lines = [line for document in documents if (line := json_line(document)) is not None]
    judged = [flatten(orjson.loads(line)) for line in lines]
    references = [Reference(yaml.safe_load(text)) for text in texts]
    expected = {
        (f"r{n}", line)
        for line, fields in enumerate(judged, 1)
        for n, one in enumerate(references)
        if one.fires(fields)
    }
    assert len(expected) > 100
    for name, line in command(tmp_path, texts, lines) ^ expected:
        raise AssertionError(
            f"{name} {'should' if (name, line) in expected else 'should not'} fire on {lines[line - 1]!r}"
        )


def json_line(document: dict[str, object]) -> bytes | None:
    try:
        return orjson.dumps(document)
    except TypeError:  # half a surrogate
        return None


def command(folder: Path, texts: Sequence[str], lines: Sequence[bytes], *options: str) -> set[tuple[str, int]]:
    (folder / "rules.yml").write_text("---\n".join(texts), "utf-8")
    ran = CliRunner().invoke(
        build("match"), ["match", "--rules", str(folder / "rules.yml"), *options], input=b"\n".join(lines)
    )
    assert ran.exit_code == 0, ran.stderr
    return {(hit["rule_id"], hit["line"]) for hit in map(orjson.loads, ran.stdout_bytes.splitlines())}


LEAF = st.one_of(st.sampled_from(["a", "B", "ab", "", "5"]), st.integers(4, 6), st.none(), st.booleans())
NAME = st.sampled_from("fgh")
INNER = st.recursive(
    LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAME, inner, max_size=3)),
    max_leaves=12,
)
ON_OBJECTS = {
    name: rule_text(detection, name)
    for name, detection in {
        "contains": {"s": {"f.g|contains": "a"}, "condition": "s"},
        "equals": {"s": {"g.f": "ab"}, "condition": "s"},
        "all": {"s": {"f.g|contains|all": ["a", "b"]}, "condition": "s"},
        "number": {"s": {"f.h|gte": 5}, "condition": "s"},
        "deep": {"s": {"f.g.h": ["a", 4, None]}, "condition": "s"},
        "json": {"s": {"f|contains": '"g":'}, "condition": "s"},
        "there": {"s": {"f.g|exists": True}, "condition": "s"},
        "not there": {"s": {"f|exists": False}, "condition": "s"},
        "null": {"s": {"f.g": None}, "condition": "s"},
        "not": {"s": {"f.g": "a"}, "condition": "not s"},
        "reference": {"s": {"f.g|fieldref": "g"}, "condition": "s"},
        "keyword": {"s": ["ab", 6], "condition": "s"},
    }.items()
}


@given(documents=st.lists(st.dictionaries(NAME, INNER, min_size=1, max_size=3), min_size=5, max_size=15))
@searched(25)
def test_objects_in_lists(documents: list[dict[str, object]]) -> None:
    """Field names go through lists of objects, as raw documents have them; what is not parsed would not have fired."""
    judge = Judge(list(ON_OBJECTS.values()))
    judge.judge([flatten(document) for document in documents])
    alone = {name: Judge([text]).engine for name, text in ON_OBJECTS.items()}
    for document in documents:
        expected = judge.expected(flatten(document))
        judge.same("flat", document, Judge.hits(judge.engine, [event_of(flat(document))]), expected)
        for name in expected:
            assert alone[name].gauge().admits(orjson.dumps(document)), (name, document)


PIPELINE = """
name: values
priority: 10
vars: {who: [an, 'b*', 'c\\\\d'], where: ["1", "2"]}
transformations: [{id: values, type: value_placeholders}]
"""
VALUES = {"who": ["an", "b*", "c\\d"], "where": ["1", "2"]}


@given(data=st.data())
@searched(10)
def test_placeholders(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("expand")
    (folder / "pipeline.yml").write_text(PIPELINE, "utf-8")
    values = st.sampled_from(["%who%", "x%who%y", "%who%%where%", "%who", "%%", "100%", "*%where%", "who"])
    items = data.draw(
        st.lists(
            st.tuples(st.sampled_from(["expand", "expand|contains", "contains|expand", "expand|endswith"]), values),
            min_size=1,
            max_size=4,
        )
    )
    texts = [rule_text({"s": {f"f|{how}": value}, "condition": "s"}, f"r{n}") for n, (how, value) in enumerate(items)]
    (folder / "rules.yml").write_text("---\n".join(texts), "utf-8")
    judge = Judge(texts, load([folder / "rules.yml"], [folder / "pipeline.yml"]))
    judge.references = {f"r{n}": Reference(yaml.safe_load(text), VALUES) for n, text in enumerate(texts)}
    near = ["an", "AN1", "xbyyy", "b2", "c\\d", "xc\\dy", "%who%", "%who", "%%", "100%", "anan", "1", "x2", "who"]
    judge.judge(data.draw(events(near, count=15)))


@pytest.mark.parametrize("modifier", ITEMS, ids=lambda name: name or "equals")
@pytest.mark.long
def test_the_generated_events_are_near_enough(modifier: str) -> None:
    """Some rules of each kind fire and some do not; else the tests above would show nothing."""
    strategy, near = ITEMS[modifier]
    fired: set[bool] = set()

    @given(st.data())
    @settings(searched(12), max_examples=12, phases=[Phase.generate])
    def draw(data: st.DataObject) -> None:
        key, value = data.draw(strategy)
        reference = Reference(yaml.safe_load(rule_text({"s": {key: value}, "condition": "s"}, "r")))
        for fields in data.draw(events(near(value) or ["a"], SCALARS.get(modifier, SCALAR))):
            fired.update(reference.fires({**fields, key.split("|")[0]: one}) for one in fields.values())

    draw()
    assert fired == {True, False}
