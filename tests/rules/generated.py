"""Rules and events made up by Hypothesis: values near the border of what a rule asks, whatever JSON can hold."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from hypothesis import strategies as st

# Case that is more than ASCII (Kelvin sign, dotless i, sharp s, Vietnamese composed and in pieces), what JSON and YAML escape, wildcards.
LETTERS = "aAbBkKiIsS\u212aıİßẞſΣσςđĐắẮă\u0301"
MARKS = "\\*?'\"\n\0\t -/.%_,{}[]:#0159\u2028\U0001f600"
WORD = st.text(alphabet=LETTERS + MARKS, max_size=6)
PLAIN = st.text(alphabet="abAB01 đắ./_%'\"\n", min_size=1, max_size=5)  # nothing that Sigma strings treat apart
ASCII = st.text(alphabet="abcXYZ019 -/.", min_size=1, max_size=6)
FIELDS = ("f", "g", "h.i", "h.j.k")
FIELD = st.sampled_from(FIELDS)

NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0, 1, 5, 404, 4688, 2**31, 2**53, -(2**63), 0.5, 1e16, 1e-5, 1.5, -0.0, 5.0, 1e300]),
)
AS_TEXT = NUMBERS.map(str)
ODD = st.sampled_from(
    [
        "", " ", "0", "-0", "05", "5.0", "5e0", "5E-1", "1_0", "0x5", "inf", "nan", "٣", "true", "True", "false", "null", "None", "[]",
        "5 ", "5\n", " 5", "5.", "9" * 41, "-" + "1" * 400, "0" * 50 + "5", "\ufffd", "\uffff",
        "\\", "\\\\", "*", "?", 2**53 + 1, 2**63 - 1, "\ud800", "a\udfff", "\0", "x" * 3000, "K" * 2100, "a" * 5000 + "b",
    ]
)  # fmt: skip
SCALAR = st.one_of(WORD, NUMBERS, AS_TEXT, ODD, st.booleans(), st.none())


@st.composite
def near(draw: st.DrawFn, needles: list[str]) -> str:
    """A text in or near which one of the needles stands: case changed, wildcards filled or not, a letter more or less."""
    text = draw(st.sampled_from(needles))
    if draw(st.booleans()):
        for mark in ("\\*", "\\?", "\\\\"):
            text = text.replace(mark, mark[1])
        text = text.replace("*", draw(st.sampled_from(["", "x", "a\nb", "*"]))).replace(
            "?", draw(st.sampled_from(["", "y", "\n", "ắ", "?"]))
        )
    change = draw(st.integers(0, 6))
    if change == 0:
        text = text.upper()
    elif change == 1:
        text = text.swapcase()
    elif change == 2 and text:
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + text[at + 1 :]
    before, after = (
        draw(st.sampled_from(["", "x", "\0", "ắ", "\\", "a b"])),
        draw(st.sampled_from(["", "y", "\0", "\u0301", "*", "\n"])),
    )
    return before * draw(st.booleans()) + text + after * draw(st.booleans())


def value_near(needles: list[str], scalars: st.SearchStrategy[object], deep: bool) -> st.SearchStrategy[object]:
    one = st.one_of(near(needles), near(needles), scalars) if needles else scalars
    return st.one_of(one, one, one, st.lists(st.one_of(one, st.lists(one, max_size=2)) if deep else one, max_size=3))


def events(
    needles: list[str], scalars: st.SearchStrategy[object] = SCALAR, count: int = 10, deep: bool = False
) -> st.SearchStrategy[list[dict[str, object]]]:
    """`deep`: lists may hold lists, which no event from a JSON line does."""
    values = value_near(needles, scalars, deep)
    source = st.dictionaries(
        st.sampled_from(["product", "service", "category"]),
        st.sampled_from(["test", "Test", "other", "", 5, None]),
        max_size=1,
    )
    return st.lists(
        st.tuples(st.dictionaries(FIELD, values, max_size=4), st.one_of(st.just({}), st.just({}), source)).map(
            lambda both: {**both[0], **both[1]}
        ),
        min_size=1,
        max_size=count,
    )


def many(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """One value, or a list of them."""
    return st.one_of(values, st.lists(values, min_size=1, max_size=4))


@st.composite
def linked(draw: st.DrawFn, modifier: str, values: st.SearchStrategy[object]) -> tuple[str, object]:
    """`f|modifier: values`, sometimes with `all` or `neq`."""
    value = draw(many(values))
    extra = draw(st.sampled_from(["", "", "", "|neq", "|all" if isinstance(value, list) and len(value) > 1 else ""]))
    return f"{draw(FIELD)}{'|' if modifier else ''}{modifier}{extra}", value


def needles_of(value: object) -> list[str]:
    return (
        [text for one in value for text in needles_of(one)]
        if isinstance(value, list)
        else []
        if value is None
        else [str(value)]
    )


def blobs(text: str) -> list[str]:
    """What a text looks like in base64, by itself and in the middle of others."""
    codecs = ("utf-8", "utf-16le", "utf-16be", "utf-16")
    return [
        base64.b64encode(b"z" * before + text.encode(codec) + b"yz"[:after]).decode()
        for codec in codecs
        for before in range(3)
        for after in range(3)
    ]


TEXT_MODIFIERS = [
    "",
    "contains",
    "startswith",
    "endswith",
    "cased",
    "contains|cased",
    "startswith|cased",
    "endswith|cased",
]
CODED_MODIFIERS = [
    "base64", "base64|contains", "base64offset|contains", "wide|base64", "wide|base64offset|contains", "utf16le|base64offset|contains",
    "utf16be|base64offset|contains", "utf16|base64offset|contains", "utf16|base64", "wide", "wide|contains", "utf16be|contains",
]  # fmt: skip
REGEXES = [
    "a.b", "^a", "b\\$", "a|B", "[aA]b?", r"\.", "a{2,3}", "(ab)+", "^$", "đ", "a.*b", "(a|b)c*", "[^a-b]", "ắ.", "k", "^.a",
    "K+", r"\\", r"a\*", "a\nb", "^a$|^b", "$", "a$", "(b$|a$)", "b$|a",
]  # fmt: skip
NETWORKS = [
    "10.0.0.0/8",
    "192.168.1.0/25",
    "2001:db8::/33",
    "0.0.0.0/0",
    "203.0.113.7/32",
    "::/0",
    "::ffff:0:0/96",
    "fe80::/10",
]
ADDRESSES = [
    "10.0.0.1", "10.255.255.255", "11.0.0.0", "192.168.1.127", "192.168.1.128", "2001:db8:7fff::1", "2001:DB8:8000::1", "::1",
    "::ffff:10.0.0.1",
    "203.0.113.7", "010.0.0.1", "10.0.0.1/32", " 10.0.0.1", "10.0.0", "10.0.0.1.1", "167772161", "10.0.0.256", "1e1", "",
    "٣.1.1.1", "::g", "10.0.0.1\n",
]  # fmt: skip
TIMES = [
    "2026-03-02T09:04:05+07:00", "2026-03-02T09:04:05Z", "2026-03-02T09:04:05.123456Z", "2026-03-02 09:04:05", "2026-03-02T09:04",
    "2026-03-02",
    "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00-05:00", "2024-02-29T12:00:00Z", "2025-02-29T12:00:00Z",
    "2026-03-02T24:00:00Z", "soon", "", "9",
]  # fmt: skip
PARTS = {
    "minute": [0, 4, 5, 59],
    "hour": [0, 2, 9, 12, 23],
    "day": [1, 2, 29, 31],
    "week": [1, 9, 10, 53],
    "month": [1, 2, 3, 12],
    "year": [2024, 2026, 2027],
}

Item = tuple[str, object]


def items() -> dict[str, tuple[st.SearchStrategy[Item], Callable[[object], list[str]]]]:
    """modifier -> its detection items, and the texts that events should be near of."""
    found: dict[str, tuple[st.SearchStrategy[Item], Callable[[object], list[str]]]] = {}
    for modifier in TEXT_MODIFIERS:
        found[modifier] = linked(modifier, WORD), needles_of
    for modifier in CODED_MODIFIERS:
        plain = (
            ASCII
            if "base64" not in modifier or "w" in modifier or "utf" in modifier
            else PLAIN.filter(lambda t: len(t.encode()) > 1)
        )
        found[modifier] = (
            linked(modifier, plain.filter(lambda t: len(t) > 1)),
            lambda value: [
                b
                for text in needles_of(value)
                for b in (*blobs(text), "\0".join(text) + "\0", "\0" + "\0".join(text), text)
            ],
        )
    for modifier in ("re", "re|i", "re|m", "re|s", "re|i|m|s"):
        found[modifier] = (
            linked(modifier, st.sampled_from(REGEXES)),
            lambda value: [
                "ab",
                "aab",
                "a\nb",
                "ắđ",
                "K",
                "abc",
                "a*",
                "a.b",
                "\\",
                "b$",
                "a\n",
                "b\n",
                *needles_of(value),
            ],
        )
    found["cidr"] = linked("cidr", st.sampled_from(NETWORKS)), lambda value: []
    for modifier in ("gt", "gte", "lt", "lte"):
        found[modifier] = linked(modifier, NUMBERS), needles_of
    for modifier, numbers in PARTS.items():
        found[modifier] = linked(modifier, st.sampled_from(numbers)), lambda value: []
    found["hour|gte"] = linked("hour|gte", st.sampled_from(PARTS["hour"])), lambda value: []
    found["contains number"] = linked("contains", NUMBERS), needles_of
    found["number"] = linked("", NUMBERS), needles_of
    found["boolean"] = linked("", st.booleans()), needles_of
    found["null"] = linked("", st.one_of(st.none(), WORD)), needles_of
    found["exists"] = st.tuples(FIELD.map("{}|exists".format), st.booleans()), needles_of
    dashed = st.tuples(
        st.sampled_from(["", "x", "cmd ", "/"]),
        st.sampled_from([" -enc", " /c", " -a b /d", "-q", " /x*y", "--all", "a-b", "-*", " -", "b–c"]),
    ).map("".join)
    found["windash"] = linked("windash", dashed), needles_of
    found["windash|contains"] = linked("windash|contains", dashed), needles_of
    for modifier in (
        "fieldref",
        "fieldref|contains",
        "fieldref|startswith",
        "fieldref|endswith",
        "cased|fieldref",
        "fieldref|contains|cased",
    ):
        found[modifier] = linked(modifier, FIELD), lambda value: ["a", "A", "ab", "ắ", "5", ""]
    return found


ITEMS = items()
SCALARS: Mapping[str, st.SearchStrategy[object]] = {
    "cidr": st.one_of(st.sampled_from(ADDRESSES), st.ip_addresses().map(str), SCALAR),
    **dict.fromkeys(
        [*PARTS, "hour|gte"], st.one_of(st.sampled_from(TIMES), st.none(), st.booleans(), st.sampled_from(["x", 1.5]))
    ),
}
CONDITIONS = [
    "a", "not a", "a and b", "a or b", "a and not b", "not (a or b) or c", "1 of them", "all of them", "1 of a* and not c",
    "not 1 of them",
    "c or (a and b)", "a or b and c", "not a and b or not c", "all of a* and 1 of *", "not (not a)", "(a or b) and (b or c)",
    "1 of * or not all of them",
]  # fmt: skip
