"""Events made from a rule's own values: some on which it must fire, and near misses of them. The reference judges what was made."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import cast

from reference import ANY, COMPARED, ONE, PARTS, Reference, Text

ATTEMPTS = 40
Wishes = list[tuple[str, str, object]]  # field, how (is, starts, holds, ends, absent, value), what


class Assumed(Reference):
    """The same condition over what is assumed of each search, instead of over an event."""

    def search(self, search: object, event: object) -> bool:
        return search in cast("frozenset[object]", event)

    def holds(self, names: frozenset[str]) -> bool:
        return any(self.condition(words, cast("Mapping[str, object]", names)) for words in self.conditions)


def chosen(rule: Mapping[str, object]) -> list[frozenset[str]]:
    """Smallest sets of searches that make the condition true when they hold and the others do not."""
    assumed = Assumed(rule)
    names = list(assumed.searches)
    assumed.searches = {name: name for name in names}
    found: list[frozenset[str]] = []
    likely = [name for name in names if not name.startswith(("filter", "exclusion"))]
    starts = [names, likely, *(list(some) for size in range(5) for some in combinations(likely[:12], size))]
    for start in starts:
        kept = frozenset(start)
        if not assumed.holds(kept):
            continue
        for name in start:
            if assumed.holds(kept - {name}):
                kept -= {name}
        if kept not in found:
            found.append(kept)
        if len(found) == 8:
            break
    return found


def events_of(rule: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """Events on which the rule fires, as the reference says; none where no attempt came to one."""
    reference, sets = Reference(rule), chosen(rule)
    source = {
        word: text for word, text in reference.source.items() if word in ("product", "category", "service") and text
    }
    named = fields_of(list(reference.searches.values()))
    seen: list[dict[str, object]] = []
    for attempt in range(ATTEMPTS):
        for names in sets:
            wishes = [
                wish for name in sorted(names) for wish in of_search(reference, reference.searches[name], attempt)
            ]
            others = {name: f"not {name}" for name in named} if attempt // 2 % 2 else {}  # for `not (field: null)`
            event = {**source, **others, **granted(wishes, attempt)}
            if event not in seen and reference.fires(event):
                seen.append(event)
                yield event


def fields_of(search: object) -> set[str]:
    if isinstance(search, dict):
        return {key.split("|")[0] for key in search} - {""}
    return set().union(*map(fields_of, search)) if isinstance(search, list) else set()


def of_search(reference: Reference, search: object, attempt: int) -> Wishes:
    if isinstance(search, dict):
        return [wish for key, values in search.items() for wish in of_item(reference, key, values, attempt)]
    if isinstance(search, list):
        return of_search(reference, search[attempt % len(search)], attempt // len(search))
    return of_value(reference, "", [], search, attempt)


def of_item(reference: Reference, key: str, values: object, attempt: int) -> Wishes:
    field, *modifiers = key.split("|")
    each = values if isinstance(values, list) else [values]
    if "neq" in modifiers:
        return [(field, "value", "something else")]
    wanted = each if "all" in modifiers else [each[attempt % len(each)]]
    return [wish for value in wanted for wish in of_value(reference, field, modifiers, value, attempt)]


def of_value(reference: Reference, field: str, modifiers: list[str], value: object, attempt: int) -> Wishes:
    if value is None or (value is False and "exists" in modifiers):
        return [(field, "absent", None)]
    if "exists" in modifiers:
        return [(field, "value", "x")]
    if "fieldref" in modifiers:
        return [(field, "value", "same"), (str(value), "value", "same")]
    if "re" in modifiers:
        return [(field, "starts" if str(value).startswith("^") else "holds", matching(str(value), attempt))]
    if "cidr" in modifiers:
        return [(field, "is", str(ipaddress.ip_network(str(value))[0]))]
    if COMPARED.keys() & set(modifiers):
        step = {"gt": 1, "lt": -1}.get(next(name for name in modifiers if name in COMPARED), 0)
        return [(field, "value", cast("float", value) + step)]
    if PARTS.keys() & set(modifiers):
        return []
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [(field, "value", value if attempt % 2 == 0 else str(value))]
    spellings = reference.spellings(modifiers, str(value).lower() if isinstance(value, bool) else value)  # type: ignore[arg-type]
    text = spellings[attempt % len(spellings)]
    if not field:  # a keyword with wildcards is the whole of some value
        return [(f"keyword {value}", "is", fill(text, attempt))]
    how = {(True, True): "holds", (False, True): "starts", (True, False): "ends"}.get(
        (text[:1] == [ANY], text[-1:] == [ANY]), "is"
    )
    return [(field, how, fill(text, attempt))]


def fill(text: Text, attempt: int) -> str:
    return "".join(
        {ANY: "", ONE: "q"}.get(token, str(token)) if attempt % 2 == 0 else {ANY: "w", ONE: "v"}.get(token, str(token))
        for token in text
    )


def granted(wishes: Wishes, attempt: int) -> dict[str, object]:
    """One value for each field that has what each wish for it asks, as far as one value can; sometimes a list."""
    event: dict[str, object] = {}
    for field in dict.fromkeys(field for field, _, _ in wishes):
        asked: dict[str, list[object]] = {}
        for name, how, what in wishes:
            if name == field and what not in asked.setdefault(how, []):
                asked[how].append(what)
        if "absent" in asked:
            continue
        if attempt % 8 == 7:  # a list has what no single value can
            event[field] = [what for some in asked.values() for what in some]
            continue
        if single := asked.get("value", []) + asked.get("is", []):
            event[field] = single[0]
            continue
        parts = [*asked.get("starts", []), *asked.get("holds", []), *asked.get("ends", [])]
        event[field] = ("", " ", "z")[attempt % 3].join(map(str, parts))
    return event


def matching(regex: str, attempt: int) -> str:
    """A text in which the expression is found: its shortest repetitions, the alternatives by turns."""
    return "".join(of_parsed(parser.parse(regex), attempt))


def of_parsed(parsed: object, attempt: int) -> Iterator[str]:
    for kind, what in parsed:  # type: ignore[attr-defined]
        if kind is op.LITERAL:
            yield chr(what)
        elif kind in (op.ANY, op.NOT_LITERAL):
            yield "k" if what != ord("k") else "j"
        elif kind is op.IN:
            yield one_in(what, attempt)
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            least, most, inner = what
            for _ in range(min(max(least, attempt % 2), int(most))):
                yield from of_parsed(inner, attempt)
        elif kind is op.SUBPATTERN:
            yield from of_parsed(what[-1], attempt)
        elif kind is op.BRANCH:
            yield from of_parsed(what[1][attempt % len(what[1])], attempt)


def one_in(choices: list[tuple[object, object]], attempt: int) -> str:
    """A character of a class."""
    inside = [
        chr(code)
        for code in range(32, 127)
        if any(_is(kind, what, code) for kind, what in choices) != (choices[0][0] is op.NEGATE)
    ]
    return inside[attempt % len(inside)] if inside else "\u1e00"


def _is(kind: object, what: object, code: int) -> bool:
    if kind is op.LITERAL:
        return code == what
    if kind is op.RANGE:
        low, high = cast("tuple[int, int]", what)
        return low <= code <= high
    if kind is op.CATEGORY:
        return re.match({op.CATEGORY_DIGIT: r"\d", op.CATEGORY_SPACE: r"\s", op.CATEGORY_WORD: r"\w", op.CATEGORY_NOT_DIGIT: r"\D",
                         op.CATEGORY_NOT_SPACE: r"\S", op.CATEGORY_NOT_WORD: r"\W"}[what], chr(code)) is not None  # fmt: skip
    return False


def near_misses(event: Mapping[str, object], fields: int = 3) -> Iterator[dict[str, object]]:
    """The event with one thing changed in one of its fields, of which the reference says what it means."""
    for field in list(event)[-fields:]:
        value = event[field]
        yield {name: other for name, other in event.items() if name != field}
        yield {**event, field: None}
        yield {**event, field: ["other", value]}
        if isinstance(value, str):
            middle = len(value) // 2
            yield {**event, field: value[:middle] + value[middle + 1 :]}
            yield {**event, field: "n" + value}
            yield {**event, field: value + "n"}
            yield {**event, field: value.swapcase()}
        elif isinstance(value, int | float):
            yield {**event, field: value + 1}
            yield {**event, field: str(value)}
