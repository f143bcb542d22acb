"""A search expression as a query of Elasticsearch over the fields of `fields`.

Every node gives two conditions: `most` holds for at least the events that match, `least` for none but those. The search
asks for `most`, and `soc.query.evaluate` decides on what comes back, as on SQLite: so there is one definition of every
operator. `least` is what makes NOT possible: at most those match that are not surely excluded.

Beside its own field a value may lie in three places (see `mapping`): text of other letters folded in `FOLDED`, a field
that the index does not know in `UNKNOWN`, and what is not of its field's kind only in the document, with the field noted in
`_ignored`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from soc.query.ast import And, Cidr, Everything, Exists, Not, Or, Query, Range, Span, Term, Wildcard
from soc.store.elastic.events.leaves import Leaves

Json = dict[str, Any]

ALL: Json = {"match_all": {}}
NONE: Json = {"match_none": {}}

# Elasticsearch takes 30 levels and some thousand clauses; what is deeper or more is left to the evaluation.
_DEEPEST = 20
_MANY_LEAVES = 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """`least` implies the expression, which implies `most`."""

    most: Json
    least: Json


def narrow(query: Query) -> Json:
    """A condition that holds for at least the events that match."""
    atoms = 4 if _leaves(query) <= _MANY_LEAVES else 1
    return _bounds(query, Leaves(atoms), 0).most


def _bounds(query: Query, leaves: Leaves, depth: int) -> Bounds:
    if depth > _DEEPEST:
        return Bounds(ALL, NONE)
    match query:
        case Everything():
            return Bounds(ALL, ALL)
        case And(clauses):
            parts = [_bounds(clause, leaves, depth + 1) for clause in clauses]
            return Bounds(_every([part.most for part in parts]), _every([part.least for part in parts]))
        case Or(clauses):
            parts = [_bounds(clause, leaves, depth + 1) for clause in clauses]
            return Bounds(_any([part.most for part in parts]), _any([part.least for part in parts]))
        case Not(clause):
            inner = _bounds(clause, leaves, depth + 1)
            return Bounds(_none_of(inner.least), _none_of(inner.most))
        case Term() | Wildcard() | Exists() | Range() | Span() | Cidr():
            most, least = leaves.of(query)
            return Bounds(ALL if most is None else _any(most), NONE if least is None else least)


def _every(clauses: list[Json]) -> Json:
    known = [clause for clause in clauses if clause != ALL]
    if NONE in known:
        return NONE
    if len(known) < 2:
        return known[0] if known else ALL
    return {"bool": {"filter": known}}


def _any(clauses: list[Json]) -> Json:
    known = [clause for clause in clauses if clause != NONE]
    if ALL in known:
        return ALL
    if len(known) < 2:
        return known[0] if known else NONE
    return {"bool": {"should": known, "minimum_should_match": 1}}


def _none_of(clause: Json) -> Json:
    if clause == ALL:
        return NONE
    return ALL if clause == NONE else {"bool": {"must_not": [clause]}}


def _leaves(query: Query) -> int:
    match query:
        case And(clauses) | Or(clauses):
            return sum(map(_leaves, clauses))
        case Not(clause):
            return _leaves(clause)
    return 1
