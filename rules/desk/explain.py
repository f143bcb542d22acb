"""Why a rule fires on an event, or why not: its condition as a tree in which each part says whether it holds and what it saw.

The tree is data, which commands say in words (`lines`) and pages in the reader's language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rules.condition import All, Any, Check, Condition, Not, Search, checks, holding
from rules.desk.seen import Seen, seen
from rules.lists.known import Lists
from rules.logsource import origin, route
from rules.predicate import Exists, HasValue, Like, Listed, Matches, Predicate, SameAs, Wild, Within
from rules.rule import Correlation, Rule, RuleSet
from soc.model.event import Value

FAILED_SHOWN = 12  # alternatives that do not hold, when many were tried
WANTED_SHOWN = 400  # characters of what a check asks for
CHECK_EFFORT = 500  # characters that could be read in the time that a check takes besides


class Part(StrEnum):
    """Of what a part of the tree is. Those with parts of their own hold as these say."""

    CORRELATION = "correlation"  # `name` counts this event; `wanted`: what it asks for
    BASE = "base"  # the event counts as one of the rule `name`
    RULE = "rule"
    LOG_SOURCE = "log_source"
    SEARCH = "search"
    NOT = "not"
    ALL = "all"
    ANY = "any"
    CHECK = "check"  # of the field `name`
    KEYWORD = "keyword"  # of any field


class Verb(StrEnum):
    """How a check asks for `wanted`."""

    IS = "is"
    LIKE = "is like"  # with wildcards
    CONTAINS = "contains"
    STARTS = "starts with"
    ENDS = "ends with"
    MATCHES = "matches"
    WITHIN = "in"
    LISTED = "is on the list"
    UNLISTED = "is on a list that is not there (a rule rests, a filter takes nothing away):"
    EXISTS = "exists"
    HAS_VALUE = "has a value"
    NO_VALUE = "has no value"
    EQUALS_FIELD = "equals field"
    STARTS_FIELD = "starts with field"
    ENDS_FIELD = "ends with field"
    CONTAINS_FIELD = "contains field"
    COMPARES = ""  # `wanted` says how: `>= 5`, `hour = 3`


_SAME = {
    "equals": Verb.EQUALS_FIELD,
    "startswith": Verb.STARTS_FIELD,
    "endswith": Verb.ENDS_FIELD,
    "contains": Verb.CONTAINS_FIELD,
}
_TEXTS = {Verb.IS, Verb.CONTAINS, Verb.STARTS, Verb.ENDS}  # their `wanted` is a text


@dataclass(frozen=True, slots=True)
class Explained:
    """What is asked, whether it `holds`, and what was `seen` in the event (None where parts say it). `rule`: the id of that which
    `name` names."""

    part: Part
    holds: bool
    name: str = ""
    verb: Verb = Verb.COMPARES
    wanted: str = ""
    cased: bool = False  # upper and lower case differ
    seen: Seen | None = None
    parts: tuple[Explained, ...] = ()
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One part of a tree that is written down line by line. `left_out`: of its own parts that do not hold, and are not in it.
    `above`: its parts are there already, further up."""

    depth: int
    explained: Explained
    left_out: int = 0
    above: bool = False


def explain(
    rule: Rule, fields: Mapping[str, Value], ruleset: RuleSet | None = None, lists: Lists | None = None
) -> Explained:
    """A correlation is explained by its base rules (from `ruleset`) and its grouping: whether this event is one that it counts. `lists`:
    as they are asked; without them every list is empty."""
    return _Explaining(fields, ruleset, lists or Lists()).of(rule)


class _Explaining:
    """One event. A rule that several correlations count is explained once."""

    def __init__(self, fields: Mapping[str, Value], ruleset: RuleSet | None, lists: Lists) -> None:
        self._fields, self._lists = fields, lists
        self._rules = {rule.id: rule for rule in ruleset.rules} if ruleset else {}
        self._known: dict[str, Explained] = {}
        self._named: dict[tuple[str, str], str] = {}

    def of(self, rule: Rule) -> Explained:
        if rule.id not in self._known:
            self._known[rule.id] = (
                self._correlation(rule) if rule.correlation else _rule(rule, self._fields, self._lists)
            )
        return self._known[rule.id]

    def _correlation(self, rule: Rule) -> Explained:
        asked = rule.correlation
        assert asked is not None
        told = tuple(self._base(asked, self._rules[base]) for base in asked.rules if base in self._rules)
        counts = any(part.holds for part in told)
        return Explained(Part.CORRELATION, counts, rule.title, wanted=asked.asked, parts=told, rule=rule.id)

    def _base(self, correlation: Correlation, base: Rule) -> Explained:
        """Whether the event counts as one of this base rule: it fires, and what to group by and to count is there."""
        names = {*correlation.names_for(base.id), *correlation.resolved(correlation.counted, base.id)}
        fields = sorted({self._field(base, name) for name in names})
        parts = (self.of(base), *(_check(Check(name, HasValue()), self._fields) for name in fields))
        return Explained(Part.BASE, all(part.holds for part in parts), base.title, parts=parts, rule=base.id)

    def _field(self, rule: Rule, name: str) -> str:
        """The field of the event that the rule gives its correlation under this name, which may be an alias further down."""
        asked = rule.correlation
        if asked is None:
            return name
        if (rule.id, name) not in self._named:
            below = (self._field(self._rules[base], *asked.resolved([name], base)) for base in asked.rules)
            self._named[rule.id, name] = next((field for field in below if field in self._fields), name)
        return self._named[rule.id, name]


def counted_as(explained: Explained) -> list[str]:
    """The ids of the base rules as whose event the explained correlation counts it."""
    return [part.rule for part in explained.parts if part.part is Part.BASE and part.holds]


def effort(rules: Iterable[Rule], fields: Mapping[str, Value]) -> int:
    """What it takes to explain these rules on the event: about as many characters have to be read."""
    sizes = {name: len(value if isinstance(value, str) else str(value)) for name, value in fields.items()}
    whole = sum(sizes.values())
    asked = (check.field for rule in rules if rule.condition is not None for check in checks(rule.condition))
    return sum(CHECK_EFFORT + (whole if name is None else sizes.get(name, 0)) for name in asked)


def rows(explained: Explained) -> Iterator[Row]:
    """The tree line by line. Of long lists of alternatives that failed only the first are in it, and no rule is in it twice."""
    yield from _rows(explained, 0, set())


def _rows(explained: Explained, depth: int, told: set[int]) -> Iterator[Row]:
    above = id(explained) in told and bool(explained.parts)
    told.add(id(explained))
    failed = sum(not part.holds for part in explained.parts)
    left_out = 0 if above else max(0, failed - FAILED_SHOWN)
    yield Row(depth, explained, left_out, above)
    if above:
        return
    failed = 0
    for part in explained.parts:
        failed += not part.holds
        if part.holds or failed <= FAILED_SHOWN:
            yield from _rows(part, depth + 1, told)


def lines(explained: Explained) -> Iterator[str]:
    """The tree as indented text."""
    for row in rows(explained):
        shown = f"   [{_in_words(row.explained.seen, row.explained.part)}]" if row.explained.seen is not None else ""
        above = ": see above" if row.above else ""
        left_out = f", {row.left_out} more that do not hold left out" if row.left_out else ""
        mark = "✓" if row.explained.holds else "✗"
        yield f"{'  ' * row.depth}{mark} {_what(row.explained)}{shown}{above}{left_out}"


def _what(told: Explained) -> str:
    match told.part:
        case Part.CORRELATION:
            return f"{told.name} counts this event, and asks for {told.wanted}"
        case Part.BASE:
            return f"as an event of {told.name}"
        case Part.LOG_SOURCE:
            return f"log source: {told.wanted}"
        case Part.RULE | Part.SEARCH:
            return told.name
        case Part.ALL | Part.ANY:
            return f"{told.part} of"
        case Part.NOT:
            return "not"
    field = "any field" if told.part is Part.KEYWORD else told.name
    wanted = repr(told.wanted) if told.verb in _TEXTS else told.wanted
    return " ".join(word for word in (field, told.verb, wanted) if word) + (" (case counts)" if told.cased else "")


def _in_words(found: Seen, part: Part) -> str:
    if found.absent:
        return {Part.KEYWORD: "in no field", Part.LOG_SOURCE: "the event does not say"}.get(part, "absent")
    value = repr(found.value) if found.quoted else found.value
    whole = f" ({found.length} characters)" if found.length else ""
    return f"in {found.field}: {value}{whole}" if part is Part.KEYWORD else value + whole


def _rule(rule: Rule, fields: Mapping[str, Value], lists: Lists) -> Explained:
    assert rule.condition is not None
    source = origin(route(fields))
    stated = (
        ("product", source.product),
        ("category", source.category),
        ("service", "/".join(sorted(source.services))),
    )
    said = ", ".join(f"{name} {value}" for name, value in stated if value)
    where = Explained(Part.LOG_SOURCE, source.admits(rule.logsource), wanted=str(rule.logsource),
                      seen=Seen("", said, absent=not said))  # fmt: skip
    condition = _explain(rule.condition, fields, lists)
    fires = where.holds and condition.holds
    return Explained(Part.RULE, fires, rule.title, parts=(where, condition), rule=rule.id)


def _explain(condition: Condition, fields: Mapping[str, Value], lists: Lists) -> Explained:
    match condition:
        case Search(name, part):
            inner = _explain(part, fields, lists)
            return Explained(Part.SEARCH, inner.holds, name, parts=(inner,))
        case Not(Check(str(name), HasValue()) as check):
            there = holding(check, fields)
            return Explained(Part.CHECK, not there, name, Verb.NO_VALUE, seen=seen(name, fields))
        case Not(part):
            inner = _explain(part, fields, lists)
            return Explained(Part.NOT, not inner.holds, parts=(inner,))
        case All(parts):
            told = tuple(_explain(part, fields, lists) for part in parts)
            return Explained(Part.ALL, all(part.holds for part in told), parts=told)
        case Any(parts):
            told = tuple(_explain(part, fields, lists) for part in parts)
            return Explained(Part.ANY, any(part.holds for part in told), parts=told)
        case Check(str(name), Listed(list_)):
            return _on_list(name, list_, fields, lists)
        case Check():
            return _check(condition, fields)


def _on_list(name: str, list_: str, fields: Mapping[str, Value], lists: Lists) -> Explained:
    org = str(fields.get("organization.id", ""))
    hit = lists.find(list_, fields.get(name), org)
    verb = Verb.LISTED if lists.there((list_,), org) else Verb.UNLISTED
    wanted = f"{list_} ({hit.entry}, version {hit.version[:12]})" if hit else list_
    return Explained(Part.CHECK, hit is not None, name, verb, wanted, seen=seen(name, fields))


def _check(check: Check, fields: Mapping[str, Value]) -> Explained:
    found = holding(check, fields)
    verb, wanted = _asked(check.predicate)
    if len(wanted) > WANTED_SHOWN:
        wanted = f"{wanted[:WANTED_SHOWN]}…"
    cased = isinstance(check.predicate, Like | SameAs) and check.predicate.cased
    name = check.field if check.field is not None else found[0] if found else ""
    shown = seen(name, fields, check.predicate if found else None, keyword=check.field is None)
    part = Part.KEYWORD if check.field is None else Part.CHECK
    return Explained(part, bool(found), check.field or "", verb, wanted, cased, shown)


def _asked(predicate: Predicate) -> tuple[Verb, str]:
    match predicate:
        case Like((Wild.ANY, str(text), Wild.ANY)):
            return Verb.CONTAINS, text
        case Like((str(text), Wild.ANY)):
            return Verb.STARTS, text
        case Like((Wild.ANY, str(text))):
            return Verb.ENDS, text
        case Like():
            return (Verb.LIKE, str(predicate)) if predicate.literal is None else (Verb.IS, predicate.literal)
        case Matches():
            return Verb.MATCHES, str(predicate)
        case Within():
            return Verb.WITHIN, str(predicate.network)
        case SameAs():
            return _SAME[predicate.how], predicate.field
        case Exists():
            return Verb.EXISTS, ""
        case HasValue():
            return Verb.HAS_VALUE, ""
        case _:
            return Verb.COMPARES, str(predicate)
