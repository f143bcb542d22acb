"""Every modifier against a slow matcher that is obviously right, on values chosen to be near the border."""

from __future__ import annotations

import base64
import ipaddress
import itertools
import re

import pytest
from effort import examples
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rules.match.column import Blocks
from rules.predicate import SameAs, Within

QUICK = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# A small alphabet makes accidents likely; wildcards, escapes, case, regex characters, and letters beyond ASCII.
WORDS = st.text(alphabet="aAbB/.-*?\\ đĐß\n", max_size=6)
VALUES = st.text(alphabet="aAbB/.-*?\\ đĐß\n", max_size=12)
PLAIN = st.text(alphabet="aAbB/.- đĐ", min_size=1, max_size=4)


def parts_of(pattern: str) -> list[tuple[str, str]]:
    """(kind, character) of a Sigma string: `\\*`, `\\?` and `\\\\` are the plain character, other backslashes are themselves."""
    found, i = [], 0
    while i < len(pattern):
        if pattern[i] == "\\" and pattern[i + 1 : i + 2] in ("*", "?", "\\"):
            found.append(("plain", pattern[i + 1]))
            i += 2
            continue
        found.append(({"*": "many", "?": "one"}.get(pattern[i], "plain"), pattern[i]))
        i += 1
    return found


def like(parts: list[tuple[str, str]], value: str) -> bool:
    if not parts:
        return not value
    (kind, character), rest = parts[0], parts[1:]
    if kind == "many":
        return any(like(rest, value[i:]) for i in range(len(value) + 1))
    return bool(value) and (kind == "one" or value[0] == character) and like(rest, value[1:])


ANY = [("many", "*")]
WRAPPED = {
    "": lambda parts: parts,
    "contains": lambda parts: ANY + parts + ANY,
    "startswith": lambda parts: parts + ANY,
    "endswith": lambda parts: ANY + parts,
}


@pytest.mark.parametrize("how", list(WRAPPED))
@pytest.mark.parametrize("cased", [False, True])
@given(pattern=WORDS, value=VALUES)
@QUICK
def test_strings_with_wildcards(fires, how: str, cased: bool, pattern: str, value: str) -> None:
    key = "|".join(filter(None, ("f", how, "cased" if cased else "")))
    parts = WRAPPED[how](parts_of(pattern if cased else pattern.lower()))
    # `ß`.lower() and İ apart, lower() keeps the length, so one-character wildcards mean the same in both.
    assert fires({"s": {key: pattern}}, {"f": value}) == like(parts, value if cased else value.lower())


@given(patterns=st.lists(WORDS, min_size=1, max_size=4), value=VALUES)
@QUICK
def test_all_links_values_with_and(fires, patterns: list[str], value: str) -> None:
    expected = [like(ANY + parts_of(p.lower()) + ANY, value.lower()) for p in patterns]
    assert fires({"s": {"f|contains|all": patterns}}, {"f": value}) == all(expected)
    assert fires({"s": {"f|contains": patterns}}, {"f": value}) == any(expected)


@given(value=VALUES)
@QUICK
def test_list_values_match_if_any_element_does(fires, value: str) -> None:
    assert fires({"s": {"f": "a*"}}, {"f": ["b", value]}) == value.lower().startswith("a")
    assert fires({"s": {"f|contains|all": ["a", "b"]}}, {"f": ["xa", "xb"]})


@pytest.mark.parametrize(
    ("key", "flags"), [("re", 0), ("re|i", re.I), ("re|m", re.M), ("re|s", re.S), ("re|i|m|s", re.I | re.M | re.S)]
)
@given(
    expression=st.sampled_from(
        ["a.b", "^a", "b$", "a|B", "[aA]b?", r"\.", "a{2,3}", "(ab)+", "^$", "đ", "a.*b", "(?:a|b)c*"]
    ),
    value=st.text(alphabet="aAbB.đ\n", max_size=8),
)
@QUICK
def test_regular_expressions(fires, key: str, flags: int, expression: str, value: str) -> None:
    assert fires({"s": {f"f|{key}": expression}}, {"f": value}) == bool(re.search(expression, value, flags))


@given(
    network=st.sampled_from(["10.0.0.0/8", "192.168.1.0/25", "2001:db8::/33", "0.0.0.0/0", "203.0.113.7/32"]),
    value=st.one_of(
        st.ip_addresses().map(str),
        st.sampled_from(
            [
                "10.1.2.3",
                "192.168.1.127",
                "192.168.1.128",
                "2001:db8:7fff::1",
                "2001:db8:8000::1",
                "x",
                "",
                "10.0.0.0/9",
            ]
        ),
    ),
)
@QUICK
def test_cidr(fires, network: str, value: str) -> None:
    try:
        inside = ipaddress.ip_address(value) in ipaddress.ip_network(network)
    except ValueError:
        inside = False
    assert fires({"s": {"f|cidr": network}}, {"f": value}) == inside


@pytest.mark.parametrize("op", ["gt", "gte", "lt", "lte"])
@given(
    bound=st.integers(-3, 3),
    value=st.one_of(
        st.integers(-4, 4),
        st.floats(-4, 4),
        st.integers(-4, 4).map(str),
        st.sampled_from(["", "x", "1x", "2.5", "-1", "1e2", "nan"]),
    ),
)
@QUICK
def test_comparisons(fires, op: str, bound: int, value: object) -> None:
    try:
        spelt = float(value) if re.fullmatch(r"-?\d.*", str(value)) else None
    except ValueError:
        spelt = None
    expected = (
        spelt is not None
        and {"gt": spelt > bound, "gte": spelt >= bound, "lt": spelt < bound, "lte": spelt <= bound}[op]
    )
    assert fires({"s": {f"f|{op}": bound}}, {"f": value}) == expected


@given(
    wanted=st.integers(-3, 600),
    value=st.one_of(st.integers(-3, 600), st.integers(-3, 600).map(str), st.booleans(), st.none()),
)
@QUICK
def test_numbers_equal_numeric_strings_and_nothing_else(fires, wanted: int, value: object) -> None:
    expected = not isinstance(value, bool) and value is not None and int(value) == wanted
    assert fires({"s": {"f": wanted}}, {"f": value}) == expected
    assert fires({"s": {"f|neq": wanted}}, {"f": value}) != expected


def test_a_boolean_is_not_the_number_one(engine_of, rule_text, event) -> None:
    engine = engine_of(rule_text({"s": {"f": 1}}))
    assert [len(engine.match([event({"f": value})])) for value in (1, True, 1.0, "1", "true")] == [1, 0, 1, 1, 0]
    engine = engine_of(rule_text({"s": {"f": True}}))
    assert [len(engine.match([event({"f": value})])) for value in (1, True, "true", "True", False)] == [0, 1, 1, 1, 0]


@given(text=PLAIN, before=st.text(alphabet="xyz", max_size=5), after=st.text(alphabet="xyz", max_size=5))
@QUICK
def test_base64offset_finds_the_text_at_any_offset(fires, text: str, before: str, after: str) -> None:
    assume(len(text.encode()) > 1)  # of one byte no letter of Base64 is its own at one of the three offsets
    blob = base64.b64encode((before + text + after).encode()).decode()
    assert fires({"s": {"f|base64offset|contains": text}}, {"f": blob})


@given(text=PLAIN)
@QUICK
def test_base64(fires, text: str) -> None:
    assert fires({"s": {"f|base64": text}}, {"f": base64.b64encode(text.encode()).decode()})
    assert not fires({"s": {"f|base64": text}}, {"f": text + "!"})


@pytest.mark.parametrize(
    ("modifier", "codec"), [("wide", "utf-16le"), ("utf16le", "utf-16le"), ("utf16be", "utf-16be"), ("utf16", "utf-16")]
)
@given(text=st.text(alphabet="abcXYZ019 -/", min_size=1, max_size=8))
@QUICK
def test_utf16_in_base64(fires, modifier: str, codec: str, text: str) -> None:
    blob = base64.b64encode(text.encode(codec)).decode()
    assert fires({"s": {f"f|{modifier}|base64": text}}, {"f": blob})
    assert not fires({"s": {f"f|{modifier}|base64": text}}, {"f": base64.b64encode(text.encode()).decode()})


@given(dash=st.sampled_from("-/\u2013\u2014\u2015+"))
@QUICK
def test_windash(fires, dash: str) -> None:
    assert fires({"s": {"f|windash|contains": " -enc"}}, {"f": f"x {dash}enc y"}) == (dash != "+")


@pytest.mark.parametrize(
    ("how", "relation"),
    [
        ("fieldref", lambda a, b: a == b),
        ("fieldref|startswith", lambda a, b: a.startswith(b)),
        ("fieldref|endswith", lambda a, b: a.endswith(b)),
        ("fieldref|contains", lambda a, b: b in a),
    ],
)
@given(a=PLAIN, b=PLAIN)
@QUICK
def test_fieldref(fires, how: str, relation, a: str, b: str) -> None:
    assert fires({"s": {f"f|{how}": "g"}}, {"f": a, "g": b}) == relation(a.lower(), b.lower())
    assert not fires({"s": {f"f|{how}": "g"}}, {"f": a})
    assert not fires({"s": {f"f|{how}": "g"}}, {"g": b})


@pytest.mark.parametrize(
    ("unit", "right", "wrong"),
    [("minute", 4, 5), ("hour", 9, 2), ("day", 2, 3), ("week", 10, 9), ("month", 3, 2), ("year", 2026, 2025)],
)
def test_parts_of_a_time(fires, unit: str, right: int, wrong: int) -> None:
    fields = {"t": "2026-03-02T09:04:05+07:00"}
    assert fires({"s": {f"t|{unit}": right}}, fields)
    assert not fires({"s": {f"t|{unit}": wrong}}, fields)
    assert not fires({"s": {f"t|{unit}": right}}, {"t": "soon"})


@pytest.mark.parametrize(
    ("fields", "null", "exists"),
    [
        ({}, True, False),
        ({"f": None}, True, True),
        ({"f": ""}, False, True),
        ({"f": []}, True, True),
        ({"f": ["a"]}, False, True),
        ({"f": 0}, False, True),
    ],
)
def test_null_and_exists(fires, fields: dict[str, object], null: bool, exists: bool) -> None:
    """Null is "no value", absent or not; `exists` asks for the field alone."""
    assert fires({"s": {"f": None}}, fields) == null
    assert fires({"s": {"f|exists": True}}, fields) == exists
    assert fires({"s": {"f|exists": False}}, fields) != exists


def test_an_empty_string_is_a_value(fires) -> None:
    assert fires({"s": {"f": ""}}, {"f": ""})
    assert not fires({"s": {"f": ""}}, {"f": None})
    assert not fires({"s": {"f": ""}}, {})


class TestKeywords:
    def test_text_is_found_anywhere_in_any_value(self, fires) -> None:
        assert fires({"k": ["Needle"]}, {"a": "x", "b": ["y", "hay neEdle hay"]})
        assert not fires({"k": ["needle"]}, {"needle": "x"})
        assert not fires({"k": ["needle"]}, {"a": "nee", "b": "dle"})

    def test_with_a_wildcard_it_is_anchored_to_the_whole_value(self, fires) -> None:
        assert fires({"k": ["select * from"]}, {"a": "x", "b": "select a from"})
        assert not fires({"k": ["select * from"]}, {"b": "select a from t"})
        assert not fires({"k": ["a*z"]}, {"b": "a1", "c": "1z"})

    def test_a_number_never_matches_text(self, fires) -> None:
        assert fires({"k": [404]}, {"a": 404})
        assert fires({"k": [404]}, {"a": ["x", 404]})
        assert not fires({"k": [404]}, {"a": "404", "b": "error 404 found", "c": True})
        assert not fires({"k": [1]}, {"c": True})

    def test_all_of_them(self, fires) -> None:
        assert fires({"k": {"|all": ["one", "two"]}}, {"a": "one", "b": "two"})
        assert not fires({"k": {"|all": ["one", "two"]}}, {"a": "one"})

    def test_regular_expressions_stay_within_one_value(self, fires) -> None:
        assert fires({"k": {"|re": "^a.*z$"}}, {"a": "b", "b": "a1z"})
        assert not fires({"k": {"|re": "^a.*z$"}}, {"a": "a1", "b": "1z"})

    def test_nul_in_a_value_joins_nothing(self, fires) -> None:
        assert not fires({"k": ["a*z"]}, {"a": "x\0a1z"})
        assert fires({"k": ["?x"]}, {"a": "ax", "b": "\0"})


def test_lone_surrogates_and_large_values_are_only_values(fires) -> None:
    assert fires({"s": {"f|contains": "abc"}}, {"f": "\ud800abc"})
    assert not fires({"s": {"f|contains": "?bc"}}, {"f": "\ud800"})
    assert fires({"s": {"f|endswith": "end"}}, {"f": "x" * 5_000_000 + "end"})
    assert fires({"k": ["abc"]}, {"f": "\udfffabc", "g": 10**30})


@given(
    st.one_of(
        st.ip_addresses().map(str),
        st.sampled_from(
            [
                "10.0.0.01",
                "10.0.0",
                "010.0.0.1",
                "1.2.3.4.5",
                "::ffff:10.0.0.1",
                "fe80::1%eth0",
                "10.0.0.1\0",
                "",
                "a",
                "9",
                "٣.1.1.1",
            ]
        ),
        st.text(max_size=20),
    )
)
def test_blocks_find_what_each_block_holds(text):
    networks = ["10.0.0.0/8", "10.0.0.0/31", "0.0.0.0/0", "203.0.113.7/32", "fe80::/10", "::/0", "::ffff:0:0/96"]
    checks = [(i, Within(ipaddress.ip_network(network))) for i, network in enumerate(networks)]
    assert Blocks(checks).find(text) == [i for i, within in checks if within.holds(text)]


TEXTS = st.lists(st.text("abAB", max_size=4), max_size=5)


@given(
    mine=TEXTS, theirs=TEXTS, how=st.sampled_from(["equals", "startswith", "endswith", "contains"]), many=st.booleans()
)
@QUICK
def test_lists_of_two_fields(mine: list[str], theirs: list[str], how: str, many: bool) -> None:
    def relates(a: str, b: str) -> bool:
        return {"equals": a == b, "startswith": a.startswith(b), "endswith": a.endswith(b), "contains": b in a}[how]

    expected = any(relates(a.lower(), b.lower()) for a in mine for b in theirs)
    if many:  # enough of each length that they are not sought one after the other
        theirs = [*theirs, *(letters + "z" * (length - 3) for length in (3, 4) for letters in UNLIKE)]
    assert SameAs("g", how).relates(mine, theirs) is expected


UNLIKE = ["".join(some) for some in itertools.product("mnopqrst", repeat=3)]
