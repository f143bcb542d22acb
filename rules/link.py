"""Correlations linked to the rules they are made of: names to ids, no cycles, and silent what only feeds others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rules.document import Document
from rules.rule import Correlation, Rule, Term
from soc.errors import RuleError

MAX_DEPTH = 20  # of a chain


@dataclass(frozen=True, slots=True)
class Draft:
    rule: Rule
    document: Document
    base_alerts: bool  # `generate`: a base rule alerts by itself although a correlation uses it


def linked(drafts: Sequence[Draft], errors: list[RuleError]) -> list[Rule]:
    """Correlations with the ids of their base rules, and rules that only feed them made silent. A correlation that cannot be linked is
    left out, and so is every one that is made of it."""
    resolved = _resolved(drafts, errors)
    fed: set[str] = set()
    for draft in drafts:
        if draft.rule.id in resolved and not draft.base_alerts:
            fed.update(resolved[draft.rule.id].rules)
    found = []
    for draft in drafts:
        correlation = resolved.get(draft.rule.id)
        if draft.rule.correlation is None:
            found.append(replace(draft.rule, silent=draft.rule.id in fed and not draft.base_alerts))
        elif correlation is not None:
            found.append(replace(draft.rule, correlation=correlation, silent=draft.rule.id in fed))
    return found


def _resolved(drafts: Sequence[Draft], errors: list[RuleError]) -> dict[str, Correlation]:
    """Correlation id -> the correlation with ids in place of names, of those that are whole."""
    named: dict[str, Correlation] = {}
    known = {draft.rule.id: draft for draft in drafts if draft.rule.correlation is not None}
    for draft in known.values():
        try:
            named[draft.rule.id] = _with_ids(draft, drafts)
        except RuleError as error:
            errors.append(error)
    whole: dict[str, Correlation] = {}
    waiting = dict(named)
    for _ in range(MAX_DEPTH):  # each round takes those that are made of what was taken before
        ready = {id_ for id_, one in waiting.items() if all(base in whole or base not in known for base in one.rules)}
        whole |= {id_: waiting.pop(id_) for id_ in sorted(ready)}
    errors += (known[id_].document.fault(_why_not(id_, named, known), "correlation", "rules") for id_ in waiting)
    return whole


def _why_not(id_: str, named: Mapping[str, Correlation], known: Mapping[str, Draft]) -> str:
    """Why a correlation that names rules that are there is not whole: follow what it is made of."""
    way = [id_]
    while len(way) <= MAX_DEPTH:
        bases = [base for base in named[way[-1]].rules if base in known]
        refused = next((base for base in bases if base not in named), None)
        if refused is not None:
            return f"it is made of {_name(known[refused])}, which is refused"
        if id_ in bases:
            return f"a correlation cannot be made of itself: {' -> '.join(_name(known[one]) for one in (*way, id_))}"
        around = next((base for base in bases if base in way), None)
        if around is not None:
            return f"it is made of {_name(known[around])}, which is made of itself"
        way.append(bases[0])
    return f"a chain of more than {MAX_DEPTH} correlations"


def _name(draft: Draft) -> str:
    return draft.rule.name or draft.rule.id


def _with_ids(draft: Draft, drafts: Sequence[Draft]) -> Correlation:
    correlation = draft.rule.correlation
    assert correlation is not None
    if not correlation.rules:
        raise draft.document.fault("a correlation needs rules", "correlation", "rules")
    known: dict[str, str] = {}

    def resolve(reference: str) -> str:
        if reference not in known:
            known[reference] = _found(reference, draft, drafts)
        return known[reference]

    aliases: Mapping[str, Mapping[str, str]] = {
        alias: {resolve(reference): name for reference, name in names.items()}
        for alias, names in correlation.aliases.items()
    }
    terms: tuple[Term, ...] = tuple(
        (tuple(map(resolve, needs)), tuple(map(resolve, lacks))) for needs, lacks in correlation.terms
    )
    rules = tuple(dict.fromkeys(map(resolve, correlation.rules)))
    return replace(correlation, rules=rules, aliases=aliases, terms=terms)


def _found(reference: str, draft: Draft, drafts: Sequence[Draft]) -> str:
    named = [d for d in drafts if reference.lower() == d.rule.id or reference == d.rule.name]
    near = [d for d in named if d.rule.path == draft.rule.path] or named
    if len(near) != 1:
        reason = f"{len(near)} rules are called" if near else "no rule that works is called"
        raise draft.document.fault(f"{reason} {reference!r}", "correlation", "rules")
    return near[0].rule.id
