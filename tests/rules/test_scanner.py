"""The scanner finds what RE2 finds, whoever looks."""

from __future__ import annotations

import pytest
import re2
from effort import examples
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from rules.match.database import Compiler, Expression
from rules.match.scanner import Pattern, Scanner
from rules.predicate import Like, Wild, utf8

ATOMS = st.sampled_from(
    ["a", "b", "k", "s", "1", "_", ".", r"\s", r"\S", r"\w", r"\W", r"\d", r"\D", r"\b", r"\B", r"\n", r"\x0b", r"\v", "^", "$",
     r"\A", r"\z", "[^a]", r"[\s]", r"[^\s]", r"[\S1]", r"[^\w]", "[[:alpha:]]", r"\pL", "(?i:k)", "(?i:s)", "(?s:.)", "(?m:^)",
     "(?m:$)", "đ", r"\Q.*\E", " ", "|"]
)  # fmt: skip
QUANTIFIERS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,3}", "*?"])
REGEXES = st.lists(st.tuples(ATOMS, QUANTIFIERS).map("".join), min_size=1, max_size=5).map("".join)
FLAGS = st.sampled_from(["", "(?i)", "(?m)", "(?s)", "(?ims)"])
TEXTS = st.lists(
    st.sampled_from(["a", "A", "b", "k", "K", "\u212a", "s", "ſ", "1", "_", " ", "\n", "\r", "\t", "\x0b", "\0", "đ", "Đ", "İ", "ß", "ẞ",
                     "σ", "ς", "\ud800", "."]),
    max_size=8,
).map("".join)  # fmt: skip


def refuse(check: int, error: Exception) -> None:
    pytest.fail(f"{check}: {error}")


@settings(max_examples=examples(400), deadline=None)
@given(REGEXES, FLAGS, TEXTS)
@example("^$", "(?ims)", "A\n")
@example(r"\S", "", "\x0b")
@example("s", "(?i)", "ſ")
@example("a\0b", "", "a")
def test_expressions_from_outside(regex: str, flags: str, text: str) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        wanted = re2.compile(flags + regex, options)
    except re2.error:
        assume(False)
    scanner = Scanner([Pattern(7, flags + regex, foreign=True)], Compiler(), refuse)
    assert scanner.scan(text) == [7] * (wanted.search(utf8(text)) is not None), (flags + regex, text)


LETTERS = 'abcxyz[]{},:" 09-'
CLASSES = st.sets(st.sampled_from(LETTERS), min_size=1, max_size=4).map(
    lambda some: "[" + "".join(re2.escape(one) for one in sorted(some)) + "]"
)
PIECES = st.tuples(
    st.one_of(CLASSES, st.sampled_from(LETTERS).map(re2.escape), st.just(".")),
    st.sampled_from(["", "", "", "*", "+", "?", "{1,3}"]),
).map("".join)
SEVERAL = st.lists(st.lists(PIECES, min_size=1, max_size=4).map("".join), min_size=1, max_size=12, unique=True)
LONG = st.builds(
    lambda filler, before, inner, behind: filler * before + inner + filler * behind,
    st.sampled_from("abcxyz q"), st.integers(0, 80), st.text(LETTERS, max_size=6), st.integers(0, 80),
)  # fmt: skip


@settings(max_examples=examples(400), deadline=None)
@given(SEVERAL, st.lists(LONG, min_size=1, max_size=20))
@example([r"[\[,][ ]*[{\[]"], ["x" * 15 + "[{" + "x" * 18])
@example(["y+y?[:,]"], ["x" * 30 + "y:" + "x" * 30])
def test_long_texts(regexes: list[str], texts: list[str]) -> None:
    """Hyperscan skips through long texts by other means than through short ones; Vectorscan 5.4.12 skips too far."""
    scanner = Scanner([Pattern(n, regex, foreign=True) for n, regex in enumerate(regexes)], Compiler(), refuse)
    for text in texts:
        wanted = {n for n, regex in enumerate(regexes) if re2.search(regex, text)}
        assert set(scanner.scan(text)) == wanted, text


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(st.one_of(TEXTS, st.sampled_from(Wild)), max_size=4), st.booleans(), TEXTS)
@example(["s"], False, "ſ")
@example(["ſ"], False, "s")
@example(["k"], False, "\u212a")
@example(["σ"], False, "Σ")
@example([" ", Wild.DASH, "enc"], False, "powershell -ENC")
def test_texts_with_wildcards(parts: list[str | Wild], cased: bool, text: str) -> None:
    like = Like(tuple(part for part in parts if part and "\ud800" not in str(part)), cased)
    scanner = Scanner([Pattern(7, like.regex, folded=not cased)], Compiler(), refuse)
    assert scanner.scan(text) == [7] * like.holds(text)


def test_databases_are_kept_and_a_damaged_one_is_made_anew() -> None:
    kept: dict[str, bytes] = {}

    class Blobs:
        def get(self, key: str) -> bytes | None:
            return kept.get(key)

        def put(self, key: str, value: bytes) -> None:
            kept[key] = value

    patterns = [Pattern(n, f"word{n}") for n in range(50)]
    for _ in range(2):
        assert Scanner(patterns, Compiler(Blobs()), refuse).scan("a word49") == [4, 49]
    [key] = kept
    kept[key] = kept[key][:100] + b"?" + kept[key][101:]
    assert Scanner(patterns, Compiler(Blobs()), refuse).scan("word7") == [7]


def test_what_hyperscan_refuses_leaves_the_others_in_one_database() -> None:
    patterns = [
        *(Expression(f"word{n}") for n in range(50)),
        Expression("(?=x)y"),
        *(Expression(f"more{n}") for n in range(50)),
    ]
    [database] = Compiler().databases(patterns)
    assert len(database.expressions) == 100
    assert [database.expressions[n].regex for n in database.find(b"a more49")] == ["more4", "more49"]
