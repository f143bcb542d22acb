"""A Sigma matcher that is slow and obviously right: what a rule means, said a second time for the tests to judge by.

It reads a rule's YAML itself and shares nothing with `rules` (nor with pySigma): one pass over one event, character by character, no
cache, no automaton. It follows the Sigma specification 2.1; where that is silent, docs/sigma.md says what holds, and why.

An event is flat: dotted keys to scalars, or lists of them. `flatten` makes one of a JSON object.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from itertools import product

ANY, ONE = object(), object()  # the wildcards * and ?
Token = object  # a character, ANY or ONE
Text = list[Token]
Event = Mapping[str, object]

DASHES = "-/\u2013\u2014\u2015"
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
WORDS = re.compile(r"[()]|[^\s()]+")
SHAPES = {"contains": (True, True), "startswith": (False, True), "endswith": (True, False)}
CODECS = {"wide": "utf-16le", "utf16le": "utf-16le", "utf16be": "utf-16be", "utf16": "utf-16"}
COMPARED = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
PARTS: dict[str, Callable[[datetime], int]] = {
    "minute": lambda at: at.minute,
    "hour": lambda at: at.hour,
    "day": lambda at: at.day,
    "week": lambda at: at.isocalendar().week,
    "month": lambda at: at.month,
    "year": lambda at: at.year,
}


class Reference:
    """One detection rule. `placeholders`: what `expand` puts in the place of `%name%`."""

    def __init__(self, rule: Mapping[str, object], placeholders: Mapping[str, Sequence[str]] | None = None) -> None:
        self.source = rule.get("logsource") or {}
        detection = dict(rule["detection"])  # type: ignore[call-overload]
        conditions = detection.pop("condition")
        self.searches = {str(name): search for name, search in detection.items()}
        self.conditions = [WORDS.findall(one) for one in (conditions if isinstance(conditions, list) else [conditions])]
        self.placeholders = placeholders or {}

    def fires(self, event: Event) -> bool:
        return self.routed(event) and any(self.condition(words, event) for words in self.conditions)

    def routed(self, event: Event) -> bool:
        """A rule is left out only where its log source and the event's own words contradict each other."""
        for word in ("product", "category", "service"):
            wanted, stated = self.source.get(word), event.get(word)
            if wanted and isinstance(stated, str) and stated and wanted.lower() != stated.lower():
                return False
        return True

    # -- conditions: or binds least, then and, then not

    def condition(self, words: list[str], event: Event) -> bool:
        left = list(words)
        held = self.either(left, event)
        assert not left, f"{left} is left over of {words}"
        return held

    def either(self, left: list[str], event: Event) -> bool:
        held = self.both(left, event)
        while left and left[0].lower() == "or":
            left.pop(0)
            held |= self.both(left, event)
        return held

    def both(self, left: list[str], event: Event) -> bool:
        held = self.single(left, event)
        while left and left[0].lower() == "and":
            left.pop(0)
            held &= self.single(left, event)
        return held

    def single(self, left: list[str], event: Event) -> bool:
        word = left.pop(0)
        if word.lower() == "not":
            return not self.single(left, event)
        if word == "(":
            held = self.either(left, event)
            assert left.pop(0) == ")"
            return held
        if word.lower() in ("1", "any", "all") and left and left[0].lower() == "of":
            left.pop(0)
            named = [self.search(self.searches[name], event) for name in self.named(left.pop(0))]
            return all(named) if word.lower() == "all" else any(named)
        return self.search(self.searches[word], event)

    def named(self, pattern: str) -> list[str]:
        regex = ".*" if pattern == "them" else ".*".join(map(re.escape, pattern.split("*")))
        return [name for name in self.searches if re.fullmatch(regex, name) and not name.startswith("_")]

    # -- searches: the items of a map are linked by and, those of a list by or

    def search(self, search: object, event: Event) -> bool:
        if isinstance(search, dict):
            return all(self.item(key, values, event) for key, values in search.items())
        if isinstance(search, list):
            return any(self.search(one, event) for one in search)
        return self.value(None, [], search, event)

    def item(self, key: str, values: object, event: Event) -> bool:
        field, *modifiers = key.split("|")
        link = all if "all" in modifiers else any
        each = values if isinstance(values, list) and values else [None] if isinstance(values, list) else [values]
        held = link(self.value(field or None, modifiers, value, event) for value in each)
        return held != ("neq" in modifiers)

    def value(self, field: str | None, modifiers: list[str], value: object, event: Event) -> bool:
        if "exists" in modifiers:
            return (field in event) == value
        if "fieldref" in modifiers:
            return self.same_as(modifiers, texts(event.get(str(field))), texts(event.get(str(value))))
        if value is None:
            return not [one for one in elements(event.get(str(field))) if one is not None]
        if field is not None:
            return any(map(self.test(modifiers, value), texts(event.get(field))))
        everything = list(elements(list(event.values())))
        if isinstance(value, int | float) and not isinstance(value, bool):  # a number is sought among numbers
            numbers = [str(e) for e in everything if isinstance(e, int | float) and not isinstance(e, bool)]
            return any(map(self.test(modifiers, value), numbers))
        told = [str(e) for e in everything if isinstance(e, str | int | float) and not isinstance(e, bool)]
        if not {*SHAPES, "re", "cidr"} & set(modifiers) and not {ANY, ONE} & set(tokens(spelt(value))):
            modifiers = [*modifiers, "contains"]  # a keyword without wildcards is sought anywhere in a text
        return any(map(self.test(modifiers, value), told))

    def same_as(self, modifiers: list[str], mine: list[str], theirs: list[str]) -> bool:
        before, after = shape(modifiers)
        return any(like(wrapped(list(b), before, after), a, "cased" in modifiers) for a in mine for b in theirs)

    # -- values: what is asked of one text

    def test(self, modifiers: list[str], value: object) -> Callable[[str], bool]:
        if "re" in modifiers:
            flags = sum(flag for letter, flag in (("i", re.I), ("m", re.M), ("s", re.S)) if letter in modifiers)
            regex = re.compile(str(value), flags)
            return lambda text: regex.search(text) is not None
        if "cidr" in modifiers:
            return lambda text: within(text, str(value))
        part = next((name for name in modifiers if name in PARTS), None)
        compared = next((COMPARED[name] for name in modifiers if name in COMPARED), operator.eq)
        if isinstance(value, int | float) and not isinstance(value, bool) and not set(modifiers) & SHAPES.keys():
            read = (lambda text: date_part(text, part)) if part else number
            return lambda text: (found := read(text)) is not None and compared(found, exact(value))
        wanted = self.spellings(modifiers, spelt(value))
        return lambda text: any(like(one, text, "cased" in modifiers) for one in wanted)

    def spellings(self, modifiers: list[str], value: str) -> list[Text]:
        """Every text, with wildcards, any of which will do."""
        found = self.expanded(value) if "expand" in modifiers else [tokens(value)]
        for name in modifiers:
            if name == "windash":
                found = [list(one) for text in found for one in product(*(DASHES if dash(c) else [c] for c in text))]
            elif name in CODECS:
                found = [encoded(text, name, "base64" in modifiers or "base64offset" in modifiers) for text in found]
            elif name == "base64":
                found = [list(base64.b64encode(octets(text)).decode()) for text in found]
            elif name == "base64offset":
                found = [list(one) for text in found for one in at_offsets(octets(text))]
        return [wrapped(text, *shape(modifiers)) for text in found]

    def expanded(self, value: str) -> list[Text]:
        pieces = re.split(r"(?<!\\)%([^%\\*?]+)%", value)
        choices = [
            self.placeholders[piece] if at % 2 else [piece.replace("\\%", "%")] for at, piece in enumerate(pieces)
        ]
        return [[token for piece in one for token in tokens(piece)] for one in product(*choices)]


def spelt(value: object) -> str:
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


def tokens(value: str) -> Text:
    r"""A string's characters and wildcards: `\*`, `\?` and `\\` are the plain character, any other backslash is itself."""
    found: Text = []
    for escaped, single in re.findall(r"\\([*?\\])|(.)", value, re.DOTALL):
        found.append(escaped or {"*": ANY, "?": ONE}.get(single, single))
    return found


def like(pattern: Text, text: str, cased: bool) -> bool:
    """Whether the whole text is like the pattern: `at` holds how far the pattern so far may reach."""
    at = {0}
    for token in pattern:
        if token is ANY:
            at = set(range(min(at), len(text) + 1)) if at else at
        else:
            at = {i + 1 for i in at if i < len(text) and (token is ONE or same(str(token), text[i], cased))}
    return len(text) in at


def same(a: str, b: str, cased: bool) -> bool:
    """One character against one. Cases are those of Unicode's lower-case mapping; Greek has two small letters for one capital."""
    return a == b or (not cased and a.lower().replace("ς", "σ") == b.lower().replace("ς", "σ"))


def shape(modifiers: Sequence[str]) -> tuple[bool, bool]:
    """Whether anything may stand before, and after."""
    return next((SHAPES[name] for name in modifiers if name in SHAPES), (False, False))


def wrapped(text: Text, before: bool, after: bool) -> Text:
    return [ANY] * before + text + [ANY] * after


def dash(token: Token) -> bool:
    return isinstance(token, str) and token in DASHES


def octets(text: Text) -> bytes:
    """The bytes of a text; those that `encoded` made stand in it one a character, as (byte,)."""
    return b"".join(bytes(token) if isinstance(token, tuple) else str(token).encode() for token in text)


def encoded(text: Text, name: str, to_octets: bool) -> Text:
    r"""UTF-16: bytes where base64 follows, else text in which each ASCII letter has a NUL beside it. `utf16` is marked (FF FE)."""
    if to_octets:
        return [(byte,) for byte in "".join(map(str, text)).encode(CODECS[name])]
    pairs = [
        [token] if not isinstance(token, str) else ["\0", token] if name == "utf16be" else [token, "\0"]
        for token in text
    ]
    return ["\ufeff"] * (name == "utf16") + [token for pair in pairs for token in pair]


def at_offsets(data: bytes) -> Iterator[str]:
    """What stays the same of a text's base64 whatever surrounds it: only letters all of whose six bits are the text's."""
    for before in range(3):
        blob = base64.b64encode(b"\0" * before + data).decode()
        if static := blob[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]:
            yield static


def elements(value: object) -> Iterator[object]:
    """A value, or each element of a list, however deep."""
    if isinstance(value, list):
        for one in value:
            yield from elements(one)
    else:
        yield value


def texts(value: object) -> list[str]:
    """A field's value as texts, any of which may match; null, an empty list and an object are none."""
    return [spelt(one) for one in elements(value) if one is not None and not isinstance(one, dict)]


def exact(value: object) -> Fraction:
    return Fraction(str(value))


def number(text: str) -> Fraction | None:
    """The number that a text spells as JSON would."""
    return Fraction(text) if NUMBER.fullmatch(text) else None


def date_part(text: str, name: str) -> int | None:
    """Of a time as it is written: its zone is not converted."""
    try:
        return PARTS[name](datetime.fromisoformat(text)) if TIME.fullmatch(text) else None
    except ValueError:
        return None


def within(text: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(text) in ipaddress.ip_network(network)
    except ValueError:
        return False


def flatten(value: object) -> dict[str, object]:
    """A JSON object with flat dotted keys. What is no scalar in a list is its JSON text; objects in it are walked, too."""
    found: dict[str, list[object]] = {}
    listed: set[str] = set()

    def walk(at: str, inner: object, in_list: bool) -> None:
        if in_list:
            listed.add(at)
        values = found.setdefault(at, [])
        if isinstance(inner, dict):
            values.append({})
            for key, one in inner.items():
                walk(f"{at}.{key}", one, in_list)
        elif isinstance(inner, list):
            listed.add(at)
            values.extend(
                json.dumps(one, ensure_ascii=False, separators=(",", ":")) if isinstance(one, list | dict) else one
                for one in inner
            )
            for one in objects(inner):
                for key, deeper in one.items():
                    walk(f"{at}.{key}", deeper, True)
        else:
            values.append(inner)

    for key, inner in value.items() if isinstance(value, dict) else ():
        walk(str(key), inner, False)
    return {name: values if name in listed else values[-1] for name, values in found.items()}


def objects(values: list[object]) -> Iterator[dict[str, object]]:
    """Of a list, and of lists in it."""
    return (one for one in elements(values) if isinstance(one, dict))
