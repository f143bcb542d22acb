from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soc.errors import QueryError
from soc.query.ast import And, Cidr, Everything, Exists, Not, Or, Query, Range, Span, Term, Wildcard
from soc.query.evaluate import matches
from soc.query.parse import MAX_CHARACTERS, MAX_CLAUSES, parse
from soc.query.shield import MAX_DEPTH

A, B, C, D = (Term(None, letter) for letter in "abcd")


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Everything()),
        (" \t\n", Everything()),
        ("*", Everything()),
        ("*:*", Everything()),
        ("a", A),
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a OR b", Or((A, B))),
        ("NOT a", Not(A)),
        ("-a", Not(A)),
        ("+a -b", And((A, Not(B)))),
        ("a OR b AND c", Or((A, And((B, C))))),
        ("a b OR c", And((A, Or((B, C))))),
        ("a OR b c", And((Or((A, B)), C))),
        ("a OR b -c", And((Or((A, B)), Not(C)))),
        ("a OR b -c OR d", And((Or((A, B)), Or((Not(C), D))))),
        ("(a b) OR c", Or((And((A, B)), C))),
        ("-(a OR b)", Not(Or((A, B)))),
        ("and or not", And((Term(None, "and"), Term(None, "or"), Term(None, "not")))),
        ('"a b"', Term(None, "a b")),
        (r'"say \"hi\" \\"', Term(None, r'say "hi" \ '.strip())),
        ('f:"a*b"', Term("f", "a*b")),
        (r"f:a\*b", Term("f", "a*b")),
        (r"f:a\*b*", Wildcard("f", r"a\*b*")),
        (r"f:a\:b?", Wildcard("f", "a:b?")),
        ("f:*", Exists("f")),
        ("_exists_:source.ip", Exists("source.ip")),
        ("f:(a OR -b)", Or((Term("f", "a"), Not(Term("f", "b"))))),
        ("url.path:/admin", Term("url.path", "/admin")),
        ("url.path:/admin/login*", Wildcard("url.path", "/admin/login*")),
        ("https://x.vn/a", Term(None, "https://x.vn/a")),
        ("'or 1=1", And((Term(None, "'or"), Term(None, "1=1")))),
        ("source.ip:2001:db8::1", Term("source.ip", "2001:db8::1")),
        ("source.ip:10.1.2.3/8", Cidr("source.ip", ip_network("10.0.0.0/8"))),
        ("source.ip:2001:db8::/32", Cidr("source.ip", ip_network("2001:db8::/32"))),
        ('source.ip:"2001:db8::/32"', Cidr("source.ip", ip_network("2001:db8::/32"))),
        ("f:>=5", Range("f", 5, None)),
        ("f:>5", Range("f", 5, None, include_low=False)),
        ("f:<-5", Range("f", None, -5, include_high=False)),
        ("f:[-5 TO 1.5}", Range("f", -5, 1.5, include_high=False)),
        ("f:[1 TO *]", Range("f", 1, None)),
        ("f:[* TO *]", Exists("f")),
        ("f:[10.0.0.1 TO 10.0.0.9]", Range("f", ip_address("10.0.0.1"), ip_address("10.0.0.9"))),
        ("@timestamp:2026-03-02", Span("@timestamp", ms(2026, 3, 2), ms(2026, 3, 3))),
        ("@timestamp:2026-02", Span("@timestamp", ms(2026, 2, 1), ms(2026, 3, 1))),
        ("@timestamp:>2026-03-02", Span("@timestamp", ms(2026, 3, 3), None)),
        ("@timestamp:<=2026-03-02T09:30", Span("@timestamp", None, ms(2026, 3, 2, 9, 31))),
        ("@timestamp:>=2026-03-02T09:00:00+07:00", Span("@timestamp", ms(2026, 3, 2, 2), None)),
        (
            "@timestamp:[2026-03-02T09:00:00.123Z TO 2026-03-03}",
            Span("@timestamp", ms(2026, 3, 2, 9) + 123, ms(2026, 3, 3)),
        ),
    ],
)
def test_reading(text: str, query: Query) -> None:
    assert parse(text) == query


def test_dates_without_a_zone_are_of_the_zone_given() -> None:
    hanoi = ZoneInfo("Asia/Ho_Chi_Minh")
    assert parse("@timestamp:2026-03-02", hanoi) == Span("@timestamp", ms(2026, 3, 1, 17), ms(2026, 3, 2, 17))
    assert parse("@timestamp:>=2026-03-02T09:00Z", hanoi) == Span("@timestamp", ms(2026, 3, 2, 9), None)


@pytest.mark.parametrize(
    ("text", "reason", "position"),
    [
        ('f:"a', "never closed", 2),
        ("(a", "ends too early", 2),
        ("a)", "cannot read on from ')'", 1),
        ("a AND", "ends too early", 5),
        ("a\\", "backslash", 1),
        ("f:a^2", "boosts", 3),
        ("f:roam~", "fuzzy", 6),
        ('"a b"~3', "proximity", 5),
        ("f:/ro.m/", "regular expressions", 2),
        ("a && b", "AND and OR as words", 2),
        ("!a", "write NOT", 0),
        ("a OR +b", "beside OR", 5),
        ("f:-5", "needs quotes", 0),
        ("f:(g:a)", "inside the brackets of 'f'", 3),
        ("2001:db8::1", "'2001' is not the name of a field", 0),
        ("$.x:1", "not the name of a field", 0),
        (">5", "a range needs a field", 0),
        ("f:[a TO b]", "neither a number nor an address", 2),
        ("f:[1 TO 10.0.0.1]", "different kinds", 2),
        ("source.ip:10.0.0.0/33", "/33 is not the size", 10),
        ("@timestamp:yesterday", "is not a time", 11),
        ("@timestamp:2026-02-30", "is not a time", 11),
        ("@timestamp:2026*", "no wildcards", 11),
        ("a\ud800", "surrogate", 1),
        ("a" * (MAX_CHARACTERS + 1), "characters long", MAX_CHARACTERS),
        ("(" * 51 + "a" + ")" * 51, f"more than {MAX_DEPTH} brackets", 50),
        ("-" * 51 + "a", f"more than {MAX_DEPTH} levels", 51),
        (" ".join(["a"] * (MAX_CLAUSES + 1)), "clauses", 400),
    ],
)
def test_what_cannot_be_read_says_why_and_where(text: str, reason: str, position: int) -> None:
    with pytest.raises(QueryError, match=r".") as caught:
        parse(text)
    assert reason in str(caught.value)
    assert caught.value.position == position


_PIECES = st.sampled_from(
    [*'()[]{}"\\:*?~^/+-<>=! \n\0', "AND", "OR", "NOT", "TO", "f", "@timestamp", "1", "10.0.0.0/8", "é", "😀"]
)


@given(
    st.one_of(
        st.text(max_size=60), st.lists(_PIECES, max_size=40).map(" ".join), st.lists(_PIECES, max_size=40).map("".join)
    )
)
@example("'; DROP TABLE event; --")
@example('"%" OR 1=1 --')
@example("a" * 100_000)
@example("(" * 1999)
@example("NOT " * 500)
@example("a OR " * 399 + "a")
@example("f:[" * 600)
@example("\ud83d")
def test_any_text_is_read_or_refused(text: str) -> None:
    refused = None
    try:
        query = parse(text)
    except QueryError as error:
        refused = error
    if refused is None:
        assert matches(query, {"f": "1", "message": text}) in (True, False)
    else:
        assert str(refused)
        assert refused.position is not None
        assert 0 <= refused.position <= len(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_quotes_keep_any_text_as_it_is(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'x.y:"{escaped}" b').clauses[0] in (Term("x.y", text), parse(f'x.y:"{escaped}"'))  # type: ignore[union-attr]


def test_threads_do_not_disturb_one_another() -> None:
    texts = [f"f{n}:(a{n} OR b{n}) c{n}" for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(parse, texts))
    for n, query in enumerate(read):
        assert query == And((Or((Term(f"f{n}", f"a{n}"), Term(f"f{n}", f"b{n}"))), Term(None, f"c{n}")))


def test_the_examples_of_the_manual_can_be_read() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "search.md").read_text(encoding="utf-8")
    rows = [line.split("|")[2] for line in manual.splitlines() if line.startswith("|")]
    examples = [example for row in rows for example in re.findall(r"`([^`]+)`", row)]
    assert len(examples) > 15
    assert all(parse(example) != Everything() for example in examples)
