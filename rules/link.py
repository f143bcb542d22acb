"""Linking: the drafts of all files become rules. Filters narrow them, and correlations find their base rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from rules.condition import All, Condition, Search
from rules.draft import Draft, Filter
from rules.rule import Rule, digest_of
from soc.errors import RuleError
from soc.model.rule import LogSource


@dataclass(frozen=True, slots=True)
class Placed:
    """A draft in the file where it was found. `narrowing(filter, log source)`: a filter's condition, as it applies to this rule.

    It raises an ExceptionGroup of RuleErrors.
    """

    draft: Draft
    path: str
    pipelines: tuple[str, ...]
    narrowing: Callable[[Filter, LogSource], Condition]

    def fault(self, reason: str, place: str) -> RuleError:
        where = self.draft.places.get(place) or self.draft.places.get("rules") or (self.draft.rule.line, 1)
        return RuleError(reason, self.path, *where)


def linked(placed: Iterable[Placed], filters: Iterable[tuple[Filter, str]], errors: list[RuleError]) -> list[Rule]:
    """`filters`: each with its path. What does not fit together is added to `errors`; the other rules are returned."""
    known = _unique(placed, errors)
    known = _narrowed(known, _unique_filters(filters, errors), errors)
    return _correlated(known, errors)


def _unique(placed: Iterable[Placed], errors: list[RuleError]) -> list[Placed]:
    kept: dict[str, Placed] = {}
    for one in placed:
        first = kept.setdefault(one.draft.rule.id, one)
        if first is not one:
            reason = f"the id {one.draft.rule.id} is already taken by {first.path}:{first.draft.rule.line}"
            errors.append(one.fault(reason, "id"))
    return list(kept.values())


def _unique_filters(filters: Iterable[tuple[Filter, str]], errors: list[RuleError]) -> list[tuple[Filter, str]]:
    kept: dict[str, tuple[Filter, str]] = {}
    for one in filters:
        first = kept.setdefault(one[0].id, one)
        if (
            first is not one and first[0].text != one[0].text
        ):  # kept with each rule that it narrows, so it may come again
            reason = f"the id {one[0].id} is already taken by {first[1]}:{first[0].place[0]}"
            errors.append(RuleError(reason, one[1], *one[0].places["id"]))
    return list(kept.values())


def _named(reference: str, among: Sequence[Placed], path: str) -> list[Placed]:
    """Those with this id or name; in the same file, where there are several."""
    named = [one for one in among if reference.lower() == one.draft.rule.id or reference == one.draft.rule.name]
    return [one for one in named if one.path == path] or named


def _one(reference: str, among: Sequence[Placed], path: str) -> Placed:
    """Raises LookupError with the reason."""
    found = _named(reference, among, path)
    if len(found) != 1:
        raise LookupError(
            f"{len(found)} rules are called {reference!r}" if found else f"no rule that works is called {reference!r}"
        )
    return found[0]


# -- filters


def _narrowed(known: Sequence[Placed], filters: Sequence[tuple[Filter, str]], errors: list[RuleError]) -> list[Placed]:
    if not filters:
        return list(known)
    narrowed = {one.draft.rule.id: one for one in known}
    for narrow, path in filters:
        for one in _meant(narrow, path, known, errors):
            now = narrowed[one.draft.rule.id]
            try:
                condition = one.narrowing(narrow, one.draft.written)
            except ExceptionGroup as group:
                errors += (
                    RuleError(error.reason, path, *narrow.place)
                    for error in group.exceptions
                    if isinstance(error, RuleError)
                )
                continue
            narrowed[one.draft.rule.id] = replace(
                now, draft=replace(now.draft, rule=_both(now.draft.rule, narrow, condition))
            )
    return list(narrowed.values())


def _meant(narrow: Filter, path: str, known: Sequence[Placed], errors: list[RuleError]) -> list[Placed]:
    """The rules that a filter applies to: as pySigma has it, those that it names and whose log source lies within its own."""
    detections = [one for one in known if one.draft.rule.condition is not None]
    if narrow.rules is None:
        return [one for one in detections if _within(one.draft.written, narrow.written)]
    meant: dict[str, Placed] = {}
    for reference in narrow.rules:
        try:
            one = _one(reference, known, path)
            if one.draft.rule.condition is None:
                raise LookupError(f"{reference!r} is a correlation: a filter narrows the rules that it counts")
            if not _within(one.draft.written, narrow.written):
                raise LookupError(f"the filter is for {narrow.written}, and {reference!r} is for {one.draft.written}")
        except LookupError as error:
            errors.append(RuleError(str(error.args[0]), path, *narrow.places[reference]))
        else:
            meant[one.draft.rule.id] = one
    return list(meant.values())


def _within(inner: LogSource, outer: LogSource) -> bool:
    return all(
        wanted is None or wanted == said
        for wanted, said in (
            (outer.product, inner.product),
            (outer.category, inner.category),
            (outer.service, inner.service),
        )
    )


def _both(rule: Rule, narrow: Filter, condition: Condition) -> Rule:
    """The rule and the filter, in its text, too: what is kept of a finding's rule says all that made it fire."""
    assert rule.condition is not None
    text = f"{rule.text}\n---\n{_for_one(narrow, rule)}"
    whole = All((rule.condition, Search(f"filter: {narrow.title}", condition)))
    return replace(rule, condition=whole, text=text, hash=digest_of(text))


def _for_one(narrow: Filter, rule: Rule) -> str:
    """The filter as it applies to this rule alone: another rule that it names is no change to this one."""
    if narrow.rules is None or narrow.rules == (rule.id,):
        return narrow.text
    import yaml

    data = yaml.safe_load(narrow.text)
    data["filter"]["rules"] = [rule.id]
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000)).strip()


# -- correlations


def _correlated(known: Sequence[Placed], errors: list[RuleError]) -> list[Rule]:
    """Correlations with the ids of their base rules, and base rules that only feed them made silent."""
    fed: set[str] = set()
    correlations: dict[str, Rule] = {}
    for one in known:
        if one.draft.rule.correlation is None:
            continue
        try:
            rule = _resolved(one, known)
        except RuleError as error:
            errors.append(error)
            continue
        correlations[rule.id] = rule
        if not one.draft.base_alerts and rule.correlation is not None:
            fed.update(rule.correlation.rules)
    found = []
    for one in known:
        rule = one.draft.rule
        if rule.correlation is None:
            silent = rule.id in fed and not one.draft.base_alerts
            found.append(replace(rule, path=one.path, pipelines=one.pipelines, silent=silent))
        elif rule.id in correlations:
            found.append(replace(correlations[rule.id], path=one.path, pipelines=one.pipelines))
    return found


def _resolved(one: Placed, known: Sequence[Placed]) -> Rule:
    correlation = one.draft.rule.correlation
    assert correlation is not None

    def resolve(reference: str) -> str:
        try:
            found = _one(reference, known, one.path)
        except LookupError as error:
            raise one.fault(str(error.args[0]), reference) from None
        if found.draft.rule.correlation is not None:
            raise one.fault("a correlation of a correlation is not supported yet", reference)
        return found.draft.rule.id

    if not correlation.rules:
        raise one.fault("a correlation needs rules", "rules")
    aliases = {alias: {resolve(r): field for r, field in names.items()} for alias, names in correlation.aliases.items()}
    return replace(
        one.draft.rule, correlation=replace(correlation, rules=tuple(map(resolve, correlation.rules)), aliases=aliases)
    )
