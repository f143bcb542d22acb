"""Rules that ask lists of indicators: the engine, the sieve and the explanation, and whose lists count for whom."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.desk.explain import explain, lines
from rules.engine import Engine
from rules.lists.index import Index
from rules.lists.known import Lists
from rules.lists.pack import Entry
from rules.lists.spelling import spelt
from rules.load.folders import loads
from soc.model.event import Stored, nested
from soc.model.indicator import ListType

RULE = """\
title: t
id: 5a4b1c5e-6f0e-4b0e-9b7e-1d2f3a4b5c6d
logsource: {category: test}
detection:
  bad: {source.ip|expand: '%bad%', status: 200}
  known: {user.name|expand: '%staff%'}
  condition: bad and not known
"""


def index(kind: ListType, *entries: str, until: int = 0) -> Index:
    return Index.of(kind, [Entry(spelt(kind, entry), until) for entry in entries])


def lists(**named: Index) -> Lists:
    """`bad`, or `bad_of_hungyen` for the list that an organisation has."""
    split = ((name.partition("_of_"), one) for name, one in named.items())
    return Lists([(name, org, one) for (name, _, org), one in split])


BAD = index(ListType.IP, "203.0.113.0/24", "2001:db8::/32")
STAFF = index(ListType.TEXT, "An")


def found(known: Lists, fields: Mapping[str, object], event, tz, rule: str = RULE) -> list[dict[str, object]]:
    """`matched` of what a rule finds; the sieve has to let it through."""
    ruleset = loads(rule)
    assert not ruleset.errors
    engine = Engine(ruleset, tz, lists=known)
    one = event(fields)
    hits = engine.match([one])
    if hits:
        assert engine.sift([Stored.of(one)]) == [one]
        for spaced in (orjson.dumps(nested(one.fields)), orjson.dumps(one.fields, option=orjson.OPT_INDENT_2)):
            assert engine.sift([Stored.of(one)._replace(doc=spaced, source_ip=None)])
    return [dict(hit.matched) for hit in hits]


def test_a_rule_asks_the_list_and_says_what_it_found(event, tz) -> None:
    [matched] = found(lists(bad=BAD, staff=STAFF), {"source.ip": "203.0.113.9", "status": 200}, event, tz)
    assert matched == {
        "source.ip": "203.0.113.9",
        "status": 200,
        "threat.feed.name": "bad",
        "threat.indicator.name": "203.0.113.0/24",
        "threat.indicator.type": "ipv4-addr",
        "govsoc.list.version": BAD.name,
    }
    known = lists(bad=BAD, staff=STAFF)
    assert found(known, {"source.ip": "203.0.114.9", "status": 200}, event, tz) == []
    assert found(known, {"source.ip": "203.0.113.9", "status": 404}, event, tz) == []
    assert found(known, {"source.ip": "203.0.113.9", "status": 200, "user.name": "AN"}, event, tz) == []
    [matched] = found(known, {"source.ip": ["10.0.0.1", "2001:db8::7"], "status": 200}, event, tz)
    assert (matched["threat.indicator.type"], matched["threat.indicator.name"]) == ("ipv6-addr", "2001:db8::/32")


def test_without_the_list_the_rule_rests_and_says_so(event, tz) -> None:
    fields = {"source.ip": "203.0.113.9", "status": 200}
    assert found(lists(bad=BAD), fields, event, tz) == []  # `not known` would hold of everybody
    engine = Engine(loads(RULE), tz, lists=lists(bad=BAD))
    assert engine.unlisted == {"5a4b1c5e-6f0e-4b0e-9b7e-1d2f3a4b5c6d": ["staff"]}


def test_a_list_that_changes_needs_no_other_engine(event, tz) -> None:
    known = lists(bad=BAD)
    engine, one = Engine(loads(RULE), tz, lists=known), event({"source.ip": "198.51.100.1", "status": 200})

    def step() -> int:
        engine.rest(frozenset())
        return len(engine.match(engine.sift([Stored.of(one)])))

    assert step() == 0
    known.use([("bad", "", BAD), ("staff", "", STAFF)], 0)
    assert (step(), engine.unlisted) == (0, {})
    known.use([("bad", "", index(ListType.IP, "198.51.100.1", until=50)), ("staff", "", STAFF)], 49)
    assert step() == 1
    known.use([("bad", "", index(ListType.IP, "198.51.100.1", until=50)), ("staff", "", STAFF)], 50)
    assert step() == 0


def test_the_list_of_an_organisation_counts_for_its_events_alone(event, tz) -> None:
    own = index(ListType.IP, "198.51.100.1")
    known = lists(bad=BAD, bad_of_hungyen=own, staff=STAFF)
    fields = {"source.ip": "198.51.100.1", "status": 200}
    [matched] = found(known, {**fields, "organization.id": "hungyen"}, event, tz)
    assert matched["govsoc.list.version"] == own.name
    assert found(known, {**fields, "organization.id": "hanoi"}, event, tz) == []
    assert found(known, {**fields, "organization.id": "hanoi", "source.ip": "203.0.113.1"}, event, tz)
    assert found(lists(bad_of_hungyen=own, staff=STAFF), {**fields, "organization.id": "hanoi"}, event, tz) == []


def test_a_list_of_one_organisation_wakes_the_rule_for_no_other(event, tz) -> None:
    known = lists(bad=BAD, staff_of_hungyen=STAFF)
    fields = {"source.ip": "203.0.113.9", "status": 200}
    assert found(known, {**fields, "organization.id": "hungyen"}, event, tz)
    assert (
        found(known, {**fields, "organization.id": "hanoi"}, event, tz) == []
    )  # nobody is on a list that it does not have
    told = "\n".join(lines(explain(loads(RULE).rules[0], {**fields, "organization.id": "hanoi"}, lists=known)))
    assert (
        "user.name is on a list that is not there (a rule rests, a filter takes nothing away): staff   [absent]" in told
    )


def test_each_check_says_why_or_why_not(event) -> None:
    rule, known = loads(RULE).rules[0], lists(bad=BAD)
    told = "\n".join(lines(explain(rule, {"source.ip": "203.0.113.9", "status": 200}, lists=known)))
    assert f"✓ source.ip is on the list bad (203.0.113.0/24, version {BAD.name[:12]})   ['203.0.113.9']" in told
    assert (
        "✗ user.name is on a list that is not there (a rule rests, a filter takes nothing away): staff   [absent]"
        in told
    )


def test_a_part_of_a_value_or_a_keyword_cannot_be_a_list() -> None:
    for detection in ("{f|expand|endswith: '%bad%'}", "{f|expand: 'x%bad%'}", "{'|expand': ['%bad%']}"):
        errors = loads(
            f"title: t\nlogsource: {{category: test}}\ndetection:\n  s: {detection}\n  condition: s\n"
        ).errors
        assert "a list is asked for the whole of a field's value" in str(errors[0]), detection


def test_a_filter_may_ask_a_list(event, tz) -> None:
    rules = """\
title: t
id: 11111111-1111-4111-8111-111111111111
logsource: {category: test}
detection: {s: {a: 1}, condition: s}
---
title: Known scanners
id: 22222222-2222-4222-8222-222222222222
logsource: {category: test}
filter: {rules: any, own: {source.ip|expand: '%bad%'}, condition: not own}
"""
    assert found(lists(bad=BAD), {"a": 1, "source.ip": "203.0.113.9"}, event, tz, rules) == []
    assert found(lists(bad=BAD), {"a": 1, "source.ip": "203.0.114.9"}, event, tz, rules) == [{"a": 1}]


@pytest.mark.parametrize(
    ("condition", "hits"), [("not own", 1), ("not 1 of own*", 1), ("own", 0), ("not own or own", 0)]
)
def test_a_filter_whose_list_is_missing_takes_nothing_away(condition: str, hits: int, event, tz) -> None:
    """Where it denies what is on the list. One that asks for what is on it rests, as rules do, and says so."""
    rules = f"""\
title: t
id: 11111111-1111-4111-8111-111111111111
logsource: {{category: test}}
detection: {{s: {{a: 1}}, condition: s}}
---
title: Known scanners
id: 22222222-2222-4222-8222-222222222222
logsource: {{category: test}}
filter: {{rules: any, own: {{source.ip|expand: '%bad%'}}, condition: {condition}}}
"""
    assert len(found(lists(), {"a": 1, "source.ip": "203.0.113.9"}, event, tz, rules)) == hits
    engine = Engine(loads(rules), tz, lists=lists())
    assert engine.unlisted == ({} if hits else {"11111111-1111-4111-8111-111111111111": ["bad"]})


NASTY = st.lists(st.sampled_from(["a", '"', "\\", "\n", "đ", "]", "}", ",", " ", "İ", "\x01", '":']), max_size=5).map(
    "".join
)
VALUES = st.one_of(NASTY, st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.none())


@settings(deadline=None, max_examples=examples(200))
@given(
    st.sets(NASTY.filter(lambda t: t.strip() and "\n" not in t and "\x01" not in t)),
    st.one_of(VALUES, st.lists(VALUES, max_size=3)),
    NASTY,
)
def test_the_sieve_drops_nothing_that_is_listed(event, tz, entries: set[str], value: object, other: str) -> None:
    rule = "title: t\nlogsource: {category: test}\ndetection: {s: {a.f|expand: '%bad%'}, condition: s}\n"
    known = lists(bad=index(ListType.TEXT, *entries, "1", "true"))
    try:
        orjson.dumps({"v": value})
    except TypeError:
        return
    found(known, {"g": other, "a.f": value, "h": other}, event, tz, rule)


@pytest.mark.parametrize("status", [200, 404])
def test_the_sieve_drops_who_is_not_listed(event, tz, status: int) -> None:
    engine = Engine(loads(RULE), tz, lists=lists(bad=BAD, staff=STAFF))
    here = [Stored.of(event({"source.ip": f"10.0.0.{n}", "status": status}, number=n)) for n in range(9)]
    assert engine.sift(here) == []
    assert engine.sift([one._replace(source_ip=None) for one in here]) == []
