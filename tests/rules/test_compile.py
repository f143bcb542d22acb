"""Modifiers that pySigma lacks or narrows, and that each one of the specification is known."""

from __future__ import annotations

from base64 import b64encode

import pytest

from rules.load.folders import loads

# Specification 2.1, appendix of modifiers; each with a value that it takes.
MODIFIERS = {
    "contains|all": ["a", "b"],
    "startswith": "a",
    "endswith": "a",
    "contains": "a",
    "exists": True,
    "cased": "A",
    "neq": "a",
    "fieldref|neq": "g",
    "windash": " -a",
    "re": "a.c",
    "re|i": "a.c",
    "re|m": "^a$",
    "re|s": "a.c",
    "re|i|m|s": "a.c",
    "base64": "a",
    "base64offset|contains": "abc",
    "utf16le|base64offset|contains": "abc",
    "utf16be|base64offset|contains": "abc",
    "utf16|base64offset|contains": "abc",
    "wide|base64offset|contains": "abc",
    "lt": 1,
    "lte": 1.5,
    "gt": -1,
    "gte": 0,
    "minute": 5,
    "hour": 5,
    "day": 5,
    "week": 5,
    "month": 5,
    "year": 2025,
    "cidr": "2001:db8::/32",
    "fieldref": "g",
    "fieldref|startswith": "g",
    "fieldref|endswith": "g",
    "fieldref|contains": "g",
}


@pytest.mark.parametrize("modifier", list(MODIFIERS))
def test_every_modifier_of_the_specification_is_known(rule_text, modifier: str) -> None:
    assert loads(rule_text({"sel": {f"f|{modifier}": MODIFIERS[modifier]}})).errors == ()


@pytest.mark.parametrize(
    ("modifier", "codec", "mark"),
    [
        ("wide", "utf-16-le", b""),
        ("utf16le", "utf-16-le", b""),
        ("utf16be", "utf-16-be", b""),
        ("utf16", "utf-16-le", b"\xff\xfe"),
    ],
)
@pytest.mark.parametrize("text", ["powershell", "xoá hết", "日本", "ß😀"])
def test_utf_16_of_any_letters_is_found_in_base64(fires, modifier: str, codec: str, mark: bytes, text: str) -> None:
    inner = mark + text.encode(codec)
    whole = b64encode(inner).decode()
    assert fires({"sel": {f"f|{modifier}|base64": text}}, {"f": whole})
    assert not fires({"sel": {f"f|{modifier}|base64|cased": text}}, {"f": whole.swapcase()})
    for offset in range(6):
        around = b64encode(b"#" * offset + inner + b"#" * 5).decode()
        assert fires({"sel": {f"f|{modifier}|base64offset|contains": text}}, {"f": around}), offset
    assert not fires({"sel": {f"f|{modifier}|base64offset|contains": text}}, {"f": b64encode(text.encode()).decode()})


def test_utf_16_that_no_base64_follows_is_for_ascii(rule_text, fires) -> None:
    assert fires({"sel": {"f|wide|contains": "ab"}}, {"f": "xa\0b\0"})
    assert "ascii" in loads(rule_text({"sel": {"f|wide": "é"}})).errors[0].reason
    assert "wildcards" in loads(rule_text({"sel": {"f|wide|base64": "a*"}})).errors[0].reason


@pytest.mark.parametrize("written", "-/–—―")
@pytest.mark.parametrize("seen", "-/–—―")
def test_windash_takes_each_of_five_dashes_for_the_others(fires, written: str, seen: str) -> None:
    detection = {"sel": {"f|windash|contains": f" {written}enc"}}
    assert fires(detection, {"f": f"powershell {seen}ENC x"})
    assert not fires(detection, {"f": "powershell +enc x"})
    assert fires({"sel": {"f|windash|startswith": f"a{written}{written}b"}}, {"f": f"a{seen}-b"})  # wherever they stand
    assert not fires({"sel": {"f|windash": f"a{written}b"}}, {"f": f"a{seen}{seen}b"})


def test_windash_before_base64_has_a_value_for_each_permutation(fires, rule_text) -> None:
    assert fires({"sel": {"f|windash|base64offset|contains": "cmd /c"}}, {"f": b64encode(b"x cmd -c y").decode()})
    assert "at most 3" in loads(rule_text({"sel": {"f|windash|base64": "-a -b -c -d"}})).errors[0].reason


def test_cased_may_be_said_of_an_expression(fires) -> None:
    assert fires({"sel": {"f|re|cased": "^Ab"}}, {"f": "Abc"})
    assert not fires({"sel": {"f|re|cased": "^Ab"}}, {"f": "abc"})


@pytest.mark.parametrize("modifier", ["contains|cased", "cased|contains", "cased|startswith", "windash|cased"])
def test_cased_may_come_before_or_after(fires, modifier: str) -> None:
    assert fires({"sel": {f"f|{modifier}": "Ab"}}, {"f": "Ab"})
    assert not fires({"sel": {f"f|{modifier}": "Ab"}}, {"f": "ab"})


def test_a_number_is_compared_with_texts_of_events_but_not_written_as_text(rule_text, fires) -> None:
    assert fires({"sel": {"f|gt": 9}}, {"f": "10"})
    assert not fires({"sel": {"f|gt": 9}}, {"f": "9"})
    assert not fires({"sel": {"f|gt": 9}}, {"f": "many"})
    assert "incompatible with the value 9" in loads(rule_text({"sel": {"f|gt": "9"}})).errors[0].reason


@pytest.mark.parametrize("flags", ["", "|i", "|m", "|s", "|i|s", "|ignorecase", "|multiline", "|dotall"])
def test_flags_of_expressions(fires, flags: str) -> None:
    detection = {"sel": {f"f|re{flags}": "^a.c$"}}
    assert fires(detection, {"f": "abc"})
    assert fires(detection, {"f": "ABC"}) is ("i" in flags.split("|") or "ignorecase" in flags)
    assert fires(detection, {"f": "a\nc"}) is ("s" in flags.split("|") or "dotall" in flags)
    assert fires(detection, {"f": "x\nabc\ny"}) is ("m" in flags.split("|") or "multiline" in flags)


def test_license_is_kept_and_custom_fields_are_no_fault(rule_text) -> None:
    (rule,) = loads(
        rule_text({"sel": {"f": 1}}, license="DRL-1.1", custom={"a": [1]}, scope=["server"], taxonomy="own")
    ).rules
    assert rule.license == "DRL-1.1"
