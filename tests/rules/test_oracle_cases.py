"""Cases in which engines and the specification part. Each names the sentence that decides."""

from __future__ import annotations

import orjson
import pytest
from doors import Judge, rule_text
from reference import flatten

from soc.model.event import flat

STRINGS = 'specification, General: "All values are treated as case-insensitive strings."'
DASH = (
    'modifiers, windash: "Creates all possible permutations of the -, /, en dash, em dash, and horizontal bar characters"; '
    "pySigma permutes - and / before a word only, and three of them at most"
)
CHAINED = 'specification, Value Modifiers: "The value modifiers are applied in the given order to the value."'
CASED = 'modifiers, cased: "Values are applied case sensitively."'
PCRE = 'modifiers, re: "The supported flavor is PCRE", whose $ holds before a last line break, too'
KEYWORDS = 'specification, Lists: "strings that are applied to the full log message", of which a number is a part'
OFFSET = 'modifiers, base64offset: "the encoded values have a static part in the middle that can be recognized"; of one byte there is none'
ONE = 'specification, String Wildcard: "? to replace a single mandatory character"'

INTEGER = 'specification, Maps: "the value is a string or integer value"; pySigma rounds integers beyond 2**53 to what a float holds'

CASES = [
    ("a large integer", {"f": 2**53 + 1}, {"f": 2**53 + 1}, True, INTEGER),
    ("a number of many digits", {"f|gt": 5}, {"f": "9" * 41}, True, 'modifiers, gt: "Field is greater than the value"'),
    ("its neighbour", {"f": 2**53 + 1}, {"f": 2**53}, False, INTEGER),
    ("blank after a number", {"f": 5}, {"f": "5 "}, False, STRINGS),
    ("line break after a number", {"f|gte": 5}, {"f": "5\n"}, False, STRINGS),
    ("part of a Greek word", {"f|contains": "ΑΣ"}, {"f": "ΑΣΑ"}, True, STRINGS),
    ("end of a Greek word", {"f|endswith": "Σ"}, {"f": "ΑΣ"}, True, STRINGS),
    ("part of a Greek field", {"f|fieldref|contains": "g"}, {"f": "ΑΣΑ", "g": "ΑΣ"}, True, STRINGS),
    ("one letter that is two in lower case", {"f": "?"}, {"f": "İ"}, True, ONE),
    ("half a surrogate is no U+FFFD", {"f|contains": "a\ufffd"}, {"f": "a\ud800"}, False, STRINGS),
    ("contains a number", {"f|contains": 5}, {"f": "x5"}, True, STRINGS),
    ("starts with a number", {"f|startswith": 5}, {"f": "5x"}, True, STRINGS),
    ("ends with a number", {"f|endswith": 5}, {"f": "x5"}, True, STRINGS),
    ("expression that is a number", {"f|re": 5}, {"f": "x5"}, True, STRINGS),
    ("two dashes", {"f|windash|contains": "--foo"}, {"f": "//foo"}, True, DASH),
    ("dash before a wildcard", {"f|windash": "x -*"}, {"f": "x /b"}, True, DASH),
    ("dash at the end", {"f|windash|endswith": " -"}, {"f": "x /"}, True, DASH),
    ("dash within a word", {"f|windash|contains": "a-b"}, {"f": "a/b"}, True, DASH),
    ("four dashes", {"f|windash|contains": " -a -b -c -d"}, {"f": " /a -b /c -d"}, True, DASH),
    ("hours from nine", {"f|hour|gte": 9}, {"f": "2026-03-02T10:00:00Z"}, True, CHAINED),
    ("case of a field reference", {"f|cased|fieldref": "g"}, {"f": "a", "g": "A"}, False, CASED),
    ("case of a field reference, said last", {"f|fieldref|cased": "g"}, {"f": "a", "g": "A"}, False, CASED),
    ("line break at the end", {"f|re": "a$"}, {"f": "a\n"}, True, PCRE),
    ("keyword in a number", ["404"], {"f": 404}, True, KEYWORDS),
    ("base64offset of one byte", {"f|base64offset|contains": "a"}, {"f": "~"}, False, OFFSET),
    ("the letter that one byte has", {"f|base64offset|contains": "a"}, {"f": "-Y-"}, True, OFFSET),
    ("a number that no float holds", {"f|lt": -5}, {"f": "-" + "9" * 400}, True, 'modifiers, lt: "Field is less than the value"'),
    ("a small number of many digits", {"f": 7}, {"f": "0" * 400 + "7"}, True, INTEGER),
    ("a dash is no other character", {"f|windash": "a-b"}, {"f": "a+b"}, False, DASH),
    ("a dash is one character", {"f|windash": "a-b"}, {"f": "a--b"}, False, DASH),
    ("a dash of some case", {"f|windash|cased": "-A"}, {"f": "/a"}, False, CASED),
    ("hours before nine", {"f|hour|lt": 9}, {"f": "2026-03-02T10:00:00Z"}, False, CHAINED),
    ("no hour", {"f|hour|gte": 9}, {"f": "10"}, False, CHAINED),
    ("case of part of a field reference", {"f|fieldref|contains|cased": "g"}, {"f": "xA", "g": "A"}, True, CASED),
    ("line break in the middle", {"f|re": "a$"}, {"f": "a\nb"}, False, PCRE),
    ("two line breaks at the end", {"f|re": "a$|c"}, {"f": "a\n\n"}, False, PCRE),
    ("one of two ends", {"f|re": "(a$|b$)"}, {"f": "b\n"}, True, PCRE),
    ("a dollar", {"f|re": "a[$]"}, {"f": "a\n"}, False, PCRE),
    ("keyword not in a number", ["404"], {"f": 4004}, False, KEYWORDS),
    ("keyword in a boolean", ["tru"], {"f": True}, False, KEYWORDS),
    ("keyword in an exponent", ["e+20"], {"f": 1e20}, True, KEYWORDS),
    ("boolean under contains", {"f|contains": True}, {"f": "untrue"}, True, STRINGS),
    ("a NUL is no U+FFFD", ["a\ufffd"], {"f": "a\0"}, False, STRINGS),
]  # fmt: skip


@pytest.mark.parametrize(
    ("search", "fields", "expected"), [pytest.param(s, f, e, id=name) for name, s, f, e, _ in CASES]
)
def test_the_specification_decides(search: object, fields: dict[str, object], expected: bool) -> None:
    judge = Judge([rule_text({"s": search, "condition": "s"}, "r")])
    assert judge.references["r"].fires(fields) == expected
    judge.judge([fields])


FIELD = (
    'specification, Maps: "the key is a field in the log data"; rules of SigmaHQ name fields of the objects in an array'
)
PRESENT = 'modifiers, exists: "this check only verifies the presence of a field, not its value"'
NULL = 'specification, Special Field Values: "A null value is defined with null"; an object is none'

DOCUMENTS = [
    (
        "fields of objects in an array",  # Azure: TargetResources.modifiedProperties.newValue
        {"targets.changes.new|contains": "admin"},
        {"targets": [{"id": 1}, {"changes": [{"new": "x"}, {"new": "Admin"}]}]},
        True,
        FIELD,
    ),
    (
        "one field of objects in an array",
        {"target.displayName": "b"},
        {"target": [{"displayName": "a"}, {"displayName": "B"}]},
        True,
        FIELD,
    ),
    ("an object exists", {"f|exists": True}, {"f": {"g": 1}}, True, PRESENT),
    ("an empty object exists", {"f|exists": True}, {"f": {}}, True, PRESENT),
    ("an empty list of objects is null", {"f.g": None}, {"f": []}, True, NULL),
    ("an object in a list exists", {"f.g|exists": True}, {"f": [1, {"g": {"h": 2}}]}, True, PRESENT),
    ("an object in a list is not null", {"f.g": None}, {"f": [{"g": {}}]}, False, NULL),
    ("an object is no text", {"f": "*"}, {"f": {"g": 1}}, False, NULL),
    ("no field of no object", {"f.g": "*"}, {"f": [{"h": 1}]}, False, FIELD),
    ("a flat name beside a list", {"f.g|all": ["a", "b"]}, {"f.g": "a", "f": [{"g": "b"}]}, True, FIELD),
    ("an object is not null", {"f": None}, {"f": {"g": 1}}, False, NULL),
]


@pytest.mark.parametrize(
    ("search", "document", "expected"), [pytest.param(s, d, e, id=name) for name, s, d, e, _ in DOCUMENTS]
)
def test_nested_documents(search: dict[str, object], document: dict[str, object], expected: bool) -> None:
    judge = Judge([rule_text({"s": search, "condition": "s"}, "r")])
    assert judge.references["r"].fires(flatten(document)) == expected
    judge.judge([flat(document)])
    if expected:
        assert judge.engine.gauge().admits(orjson.dumps(document))


def test_a_keyword_in_a_list_within_a_list() -> None:
    Judge([rule_text({"s": ["needle"], "condition": "s"}, "r")]).judge([{"f": [["needle"]]}, {"f": [["hay"]]}])
