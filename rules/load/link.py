"""Linking: the drafts of all files become rules. Filters narrow them, and correlations find what they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rules.compile.draft import Filter
from rules.load import filters as narrowing
from rules.load.chains import resolved
from rules.load.placed import Placed
from rules.rule import Rule
from soc.errors import RuleError


def linked(placed: Iterable[Placed], filters: Iterable[tuple[Filter, str]], errors: list[RuleError]) -> list[Rule]:
    """`filters`: each with its path. What does not fit together is added to `errors`; the other rules are returned.

    Rules that only feed correlations are silent. A correlation that cannot be linked is left out, and so is every one made of it.
    """
    known = narrowing.narrowed(_unique(placed, errors), narrowing.unique(filters, errors), errors)
    correlations = resolved(known, errors)
    fed: set[str] = set()
    for one in known:
        if one.draft.rule.id in correlations and not one.draft.base_alerts:
            fed.update(correlations[one.draft.rule.id].rules)
    found = []
    for one in known:
        rule = replace(one.draft.rule, path=one.path, pipelines=one.pipelines)
        correlation = correlations.get(rule.id)
        if rule.correlation is None:
            found.append(replace(rule, silent=rule.id in fed and not one.draft.base_alerts))
        elif correlation is not None:
            found.append(replace(rule, correlation=correlation, silent=rule.id in fed))
    return found


def _unique(placed: Iterable[Placed], errors: list[RuleError]) -> list[Placed]:
    kept: dict[str, Placed] = {}
    for one in placed:
        first = kept.setdefault(one.draft.rule.id, one)
        if first is not one:
            reason = f"the id {one.draft.rule.id} is already taken by {first.path}:{first.draft.rule.line}"
            errors.append(one.fault(reason, "id"))
    return list(kept.values())
