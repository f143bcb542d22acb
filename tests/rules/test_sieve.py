"""The sieve lets through whatever a rule fires on, and little else. Every test that uses `fires` asks the first of it as well."""

from __future__ import annotations

import orjson
import pytest
import re2
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.engine import Engine
from rules.load.folders import load
from rules.regex import without_anchors
from soc.model.event import Stored

NASTY = st.sampled_from(
    ["a", "B", '"', "\\", "/", "\n", "\x01", "đ", "İ", "K", "ſ", " ", "5", ".", "*", "select", "%27"]
)
TEXTS = st.lists(NASTY, max_size=6).map("".join)
NUMBERS = st.one_of(st.integers(-1000, 100_000), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
VALUES = st.one_of(TEXTS, NUMBERS, NUMBERS.map(str), st.lists(st.one_of(TEXTS, NUMBERS), max_size=3), st.none())


@pytest.mark.parametrize("how", ["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased"])
@settings(deadline=None, max_examples=examples(30))
@given(wanted=TEXTS, value=VALUES)
@example(wanted="5", value=5)
@example(wanted="true", value=True)
@example(wanted='a"', value='xa"')
@example(wanted="a\\", value="a\\")
@example(wanted="\u212ay", value="ky")
@example(wanted="True", value=True)
@example(wanted="e-05", value=1.5e-05)
@example(wanted="e+16", value=1e16)
def test_texts(fires, how: str, wanted: str, value: object) -> None:
    escaped = wanted.replace("\\", "\\\\").replace("*", "\\*")
    if escaped:
        fires({"s": {f"f|{how}".rstrip("|").replace("||", "|"): escaped}}, {"f": value, "g": "b"})
        fires({"s": [escaped]}, {"f": value})


@pytest.mark.parametrize("op", ["gt", "gte", "lt", "lte", None])
@settings(deadline=None, max_examples=examples(30))
@given(bound=st.integers(-3, 1200), value=VALUES)
@example(bound=500, value=[1, 503])
@example(bound=500, value="0503")
@example(bound=500, value=5e20)
@example(bound=500, value="5.1e2")
@example(bound=5, value="4.99999999999999999999")
@example(bound=500, value="499.99999999999999999999")
def test_numbers(fires, op: str | None, bound: int, value: object) -> None:
    fires({"s": {f"f|{op}" if op else "f": bound}}, {"f": value})


@pytest.mark.parametrize(
    "regex",
    ["^a", "b$", r"\Aa+\z", "a[^^$]b", r"\$a", r"[\]^$]", r"\Q^a\E", "(?i)(?:^|/)b(?:$|/)", r"\bselect\b", "^$", "a.b"],
)
@settings(deadline=None, max_examples=examples(30))
@given(value=VALUES)
@example(value="a/b")
@example(value="^a")
@example(value='a"b')
@example(value="select")
def test_regular_expressions(fires, regex: str, value: object) -> None:
    fires({"s": {"f|re": regex}}, {"f": value})


@settings(deadline=None, max_examples=examples(30))
@given(value=VALUES)
def test_what_needs_the_field_alone(fires, value: object) -> None:
    for detection in ({"f|exists": True}, {"f": "*"}, {"f|cidr": "10.0.0.0/8"}, {"f|fieldref": "g"}, {"f": ""}):
        fires({"s": detection}, {"f": value, "g": value})
        fires({"s": detection, "hidden": {"h": 1}, "condition": "s and not hidden"}, {"f": value, "g": value})


def test_anchors_are_found_outside_of_classes_and_escapes_only() -> None:
    for regex, bare in (
        ("^a$", "(?:)a(?:)"),
        (r"\^[^$]\$", r"\^[^$]\$"),
        (r"[]$^]", r"[]$^]"),
        (r"\Q$^\E$", r"\Q$^\E(?:)"),
    ):
        assert without_anchors(regex) == bare
        re2.compile(bare)


def stored(fields: dict[str, object], dataset: str = "nginx.access") -> Stored:
    return Stored("0" * 32, 0, "hungyen", dataset, "portal", None, orjson.dumps(fields))


def test_an_ordinary_request_is_not_even_parsed(tz) -> None:
    engine = Engine(load(), tz)
    calm = {
        "@timestamp": "2026-03-02T01:00:00.000Z",
        "event.original": '10.1.2.3 - - [02/Mar/2026:01:00:00 +0000] "GET /ho-so HTTP/1.1" 200 512 "-" "Mozilla/5.0"',
        "url.original": "/ho-so", "url.path": "/ho-so", "http.request.method": "GET", "source.ip": "10.1.2.3",
        "http.response.status_code": 200, "http.response.body.bytes": 512, "user_agent.original": "Mozilla/5.0",
    }  # fmt: skip
    assert engine.sift([stored(calm)]) == []
    hostile = calm | {"url.original": "/?id=1%20union%20select%20null", "url.query": "id=1 union select null"}
    assert engine.sift([stored(hostile)]) == [stored(hostile).event]


def test_an_event_that_names_its_own_log_source_is_let_through(engine_of, rule_text) -> None:
    engine = engine_of(rule_text({"s": {"f": "needle"}}, logsource={"product": "windows"}))
    assert engine.sift([stored({"f": "hay"}), stored({"f": "hay", "product": "windows"})]) == [
        stored({"f": "hay", "product": "windows"}).event
    ]


@pytest.mark.parametrize("process", ["sshd", "SSHD", "sshd-session", "cron", ["sshd"], 5, None])
def test_a_service_is_told_by_the_program(engine_of, rule_text, event, process: object) -> None:
    engine = engine_of(rule_text({"s": {"f": "x"}}, logsource={"product": "linux", "service": "sshd"}))
    fields = {"event.dataset": "linux.auth", "process.name": process, "f": "x"}
    if engine.match([event(fields)]):
        assert engine.sift([stored(fields, "linux.auth")])


@pytest.mark.parametrize("detection", [{"hidden": {"f": "x"}, "condition": "not hidden"}, {"s": ["*"]}])
def test_a_rule_that_may_fire_on_anything_opens_the_sieve(engine_of, rule_text, detection) -> None:
    engine = engine_of(rule_text(detection))
    assert engine.sift([stored({"g": 1}, "any")]) == [stored({"g": 1}, "any").event]


@pytest.mark.parametrize(
    "literal", ["123456789012345678901234567890", "0.12345678901234567890", "-0", "1.50", "1E2", "0.00001"]
)
@pytest.mark.parametrize("keyword", [False, True])
def test_a_number_is_judged_by_what_reading_it_makes_of_it(engine_of, rule_text, literal: str, keyword: bool) -> None:
    line = b'{"f": %s}' % literal.encode()
    asked = str(orjson.loads(line)["f"])
    for part in {asked, asked[-3:], asked[:3]}:
        engine = engine_of(rule_text({"s": [part] if keyword else {"f|contains": part}}))
        fields = orjson.loads(line)
        assert engine.plan(fields).fire(fields), part
        assert engine.gauge().admits(line), part
