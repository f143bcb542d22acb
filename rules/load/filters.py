"""Filters linked to the rules that they narrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rules.compile.draft import Filter
from rules.condition import FILTER, All, Condition, Search
from rules.load.placed import Placed, referred
from rules.rule import Rule, digest_of
from soc.errors import RuleError
from soc.model.rule import FilterDoc, LogSource, joined


def narrowed(known: Sequence[Placed], filters: Sequence[tuple[Filter, str]], errors: list[RuleError]) -> list[Placed]:
    if not filters:
        return list(known)
    known_now = {one.draft.rule.id: one for one in known}
    done: set[tuple[str, str]] = set()
    for narrow, path in filters:
        for one in _meant(narrow, path, known, errors):
            if (narrow.id, one.draft.rule.id) in done:
                continue
            done.add((narrow.id, one.draft.rule.id))
            now = known_now[one.draft.rule.id]
            try:
                condition = one.narrowing(narrow, one.draft.written)
            except ExceptionGroup as group:
                errors += (
                    RuleError(error.reason, path, *narrow.place)
                    for error in group.exceptions
                    if isinstance(error, RuleError)
                )
                continue
            known_now[one.draft.rule.id] = replace(
                now, draft=replace(now.draft, rule=_both(now.draft.rule, narrow, path, condition))
            )
    return list(known_now.values())


def _meant(narrow: Filter, path: str, known: Sequence[Placed], errors: list[RuleError]) -> list[Placed]:
    """The rules that a filter applies to: as pySigma has it, those that it names and whose log source lies within its own."""
    detections = [one for one in known if one.draft.rule.condition is not None]
    if narrow.rules is None:
        return [one for one in detections if _within(one.draft.written, narrow.written)]
    meant: dict[str, Placed] = {}
    for reference in narrow.rules:
        try:
            one = referred(reference, known, path)
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


def _both(rule: Rule, narrow: Filter, path: str, condition: Condition) -> Rule:
    """The rule and the filter, in its text, too: what is kept of a finding's rule says all that made it fire."""
    assert rule.condition is not None
    known = FilterDoc(narrow.id, path, _for_it_alone(narrow, rule))
    text = joined(rule.text, known.text)
    whole = All((rule.condition, Search(f"{FILTER}{narrow.title}", condition)))
    return replace(rule, condition=whole, text=text, hash=digest_of(text), filters=(*rule.filters, known))


def _for_it_alone(narrow: Filter, rule: Rule) -> str:
    """The filter's text as it applies to this rule: another rule that it names is no change to this one."""
    if narrow.rules is None or narrow.rules == (rule.id,):
        return narrow.text
    import yaml

    data = yaml.safe_load(narrow.text)
    data["filter"]["rules"] = [rule.id]
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000)).strip()


def unique(filters: Iterable[tuple[Filter, str]], errors: list[RuleError]) -> list[tuple[Filter, str]]:
    # It is kept with each rule that it narrowed, for that rule alone: where such texts are loaded, it comes again and again.
    kept: dict[tuple[str, tuple[str, ...] | None], tuple[Filter, str]] = {}
    for one in filters:
        first = kept.setdefault((one[0].id, one[0].rules), one)
        if first is not one and first[0].text != one[0].text:
            reason = f"the id {one[0].id} is already taken by {first[1]}:{first[0].place[0]}"
            errors.append(RuleError(reason, one[1], *one[0].places["id"]))
    return list(kept.values())
