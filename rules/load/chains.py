"""Correlations linked to the rules they are made of: names to ids, and no cycles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from rules.load.placed import Placed, referred
from rules.rule import Correlation, Term
from soc.errors import RuleError

MAX_DEPTH = 20  # of a chain


def resolved(drafts: Sequence[Placed], errors: list[RuleError]) -> dict[str, Correlation]:
    """Correlation id -> the correlation with ids in place of names, of those that are whole."""
    named: dict[str, Correlation] = {}
    known = {one.draft.rule.id: one for one in drafts if one.draft.rule.correlation is not None}
    for one in known.values():
        try:
            named[one.draft.rule.id] = _with_ids(one, drafts)
        except RuleError as error:
            errors.append(error)
    whole: dict[str, Correlation] = {}
    waiting = dict(named)
    for _ in range(MAX_DEPTH):  # each round takes those that are made of what was taken before
        ready = {id_ for id_, made in waiting.items() if all(base in whole or base not in known for base in made.rules)}
        whole |= {id_: waiting.pop(id_) for id_ in sorted(ready)}
    errors += (known[id_].fault(_why_not(id_, named, known, waiting), "rules") for id_ in waiting)
    return whole


def _why_not(id_: str, named: Mapping[str, Correlation], known: Mapping[str, Placed], waiting: Collection[str]) -> str:
    """Why a correlation that names rules that are there is not whole: follow what it is made of."""
    way = [id_]
    while len(way) <= MAX_DEPTH:
        bases = [base for base in named[way[-1]].rules if base in known and (base not in named or base in waiting)]
        refused = next((base for base in bases if base not in named), None)
        if refused is not None:
            return f"it is made of {_name(known[refused])}, which is refused"
        if id_ in bases:
            return f"a correlation cannot be made of itself: {' -> '.join(_name(known[step]) for step in (*way, id_))}"
        around = next((base for base in bases if base in way), None)
        if around is not None:
            return f"it is made of {_name(known[around])}, which is made of itself"
        if not bases:
            break
        way.append(bases[0])
    return f"a chain of more than {MAX_DEPTH} correlations"


def _name(one: Placed) -> str:
    return one.draft.rule.name or one.draft.rule.id


def _with_ids(one: Placed, drafts: Sequence[Placed]) -> Correlation:
    correlation = one.draft.rule.correlation
    assert correlation is not None
    if not correlation.rules:
        raise one.fault("a correlation needs rules", "rules")
    known: dict[str, str] = {}

    def resolve(reference: str) -> str:
        if reference not in known:
            try:
                known[reference] = referred(reference, drafts, one.path).draft.rule.id
            except LookupError as error:
                raise one.fault(str(error.args[0]), reference) from None
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
