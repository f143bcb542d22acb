"""Why a rule fires on an event, or why not: its condition as a tree in which each part says whether it holds and what it saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.condition import All, Any, Check, Condition, Not, Search, holding
from rules.lists.known import Lists
from rules.logsource import origin, route
from rules.predicate import Exists, HasValue, Like, Listed, Matches, Predicate, SameAs, Wild
from rules.rule import Correlation, Rule, RuleSet
from soc.model.event import Value

SHOWN = 200  # characters of a value
FAILED_SHOWN = 12  # alternatives that do not hold, when many were tried


@dataclass(frozen=True, slots=True)
class Explained:
    """`what` is asked, whether it `holds`, and what was `seen` in the event (None where parts say it)."""

    what: str
    holds: bool
    seen: str | None = None
    parts: tuple[Explained, ...] = ()


def explain(
    rule: Rule, fields: Mapping[str, Value], ruleset: RuleSet | None = None, lists: Lists | None = None
) -> Explained:
    """A correlation is explained by its base rules (from `ruleset`) and its grouping: whether this event is one that it counts. `lists`:
    as they are asked; without them every list is empty."""
    if rule.correlation is not None:
        bases = [base for base in ruleset.rules if base.id in rule.correlation.rules] if ruleset else []
        told = tuple(_feeds(rule.correlation, base, fields, ruleset, lists) for base in bases)
        what = f"{rule.title} counts this event, and asks for {rule.correlation.asked}"
        return Explained(what, any(part.holds for part in told), None, told)
    assert rule.condition is not None
    where = Explained(f"log source: {rule.logsource}", origin(route(fields)).admits(rule.logsource), _source(fields))
    condition = _explain(rule.condition, fields, lists or Lists())
    return Explained(rule.title, where.holds and condition.holds, None, (where, condition))


def _feeds(
    correlation: Correlation,
    base: Rule,
    fields: Mapping[str, Value],
    ruleset: RuleSet | None,
    lists: Lists | None,
) -> Explained:
    """Whether the event counts as one of this base rule: it fires, and what to group by and to count is there."""
    names = sorted({*correlation.names_for(base.id), *correlation.resolved(correlation.counted, base.id)})
    parts = (explain(base, fields, ruleset, lists), *(_present(name, fields) for name in names))
    return Explained(f"as an event of {base.name or base.title}", all(part.holds for part in parts), None, parts)


def lines(explained: Explained, depth: int = 0) -> Iterator[str]:
    """The tree as indented text; of long lists of alternatives that failed only the first are shown."""
    seen = f"   [{explained.seen}]" if explained.seen is not None else ""
    yield f"{'  ' * depth}{'✓' if explained.holds else '✗'} {explained.what}{seen}"
    failed = 0
    for part in explained.parts:
        failed += not part.holds
        if part.holds or failed <= FAILED_SHOWN:
            yield from lines(part, depth + 1)
    if failed > FAILED_SHOWN:
        yield f"{'  ' * (depth + 1)}✗ ... and {failed - FAILED_SHOWN} more that do not hold"


def _explain(condition: Condition, fields: Mapping[str, Value], lists: Lists) -> Explained:
    match condition:
        case Search(name, part):
            inner = _explain(part, fields, lists)
            return Explained(name, inner.holds, None, (inner,))
        case Not(Check(str(name), HasValue())):
            return Explained(f"{name} has no value", not holding(Check(name, HasValue()), fields), _seen(name, fields))
        case Not(part):
            inner = _explain(part, fields, lists)
            return Explained("not", not inner.holds, None, (inner,))
        case All(parts):
            told = tuple(_explain(part, fields, lists) for part in parts)
            return Explained("all of", all(part.holds for part in told), None, told)
        case Any(parts):
            told = tuple(_explain(part, fields, lists) for part in parts)
            return Explained("any of", any(part.holds for part in told), None, told)
        case Check(str(name), Listed(list_)):
            return _on_list(name, list_, fields, lists)
        case Check(str(name), predicate):
            return Explained(f"{name} {_asked(predicate)}", bool(holding(condition, fields)), _seen(name, fields))
        case Check(_, predicate):
            found = holding(condition, fields)
            seen = f"in {found[0]}: {_seen(found[0], fields)}" if found else "in no field"
            return Explained(f"any field {_asked(predicate)}", bool(found), seen)


def _on_list(name: str, list_: str, fields: Mapping[str, Value], lists: Lists) -> Explained:
    org = str(fields.get("organization.id", ""))
    hit = lists.find(list_, fields.get(name), org)
    seen = _seen(name, fields)
    if hit is not None:
        seen += f", as {hit.entry} in version {hit.version[:12]}"
    elif not lists.there((list_,), org):
        seen += ", there is no such list: the rule rests"
    return Explained(f"{name} is on the list {list_}", hit is not None, seen)


def _asked(predicate: Predicate) -> str:
    match predicate:
        case Like((Wild.ANY, str(text), Wild.ANY)):
            asked = f"contains {text!r}"
        case Like((str(text), Wild.ANY)):
            asked = f"starts with {text!r}"
        case Like((Wild.ANY, str(text))):
            asked = f"ends with {text!r}"
        case Like():
            asked = f"is {predicate!s}" if predicate.literal is None else f"is {predicate.literal!r}"
        case Matches():
            asked = f"matches {predicate}"
        case Exists() | HasValue() | SameAs() | _:
            asked = str(predicate)
    return f"{asked} (case counts)" if isinstance(predicate, Like) and predicate.cased else asked


def _seen(name: str, fields: Mapping[str, Value]) -> str:
    if name not in fields:
        return "absent"
    shown = repr(fields[name])
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}... ({len(shown)} characters)"


def _present(name: str, fields: Mapping[str, Value]) -> Explained:
    return Explained(f"has {name}", bool(holding(Check(name, HasValue()), fields)), _seen(name, fields))


def _source(fields: Mapping[str, Value]) -> str:
    where = origin(route(fields))
    stated = (("product", where.product), ("category", where.category), ("service", "/".join(sorted(where.services))))
    return ", ".join(f"{name} {value}" for name, value in stated if value) or "the event does not say"
