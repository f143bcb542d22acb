"""The condition of an exception: one search expression, narrow enough to be one; and that which narrows a rule.

`source.ip:10.0.0.5` or `url.path:\\/health* AND user_agent.original:probe*`: each way to satisfy it asks a named field for something of
its own. What would hide everything of a rule in an organisation is not an exception: the rule is switched off there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from soc.errors import QueryError
from soc.query.ast import And, Cidr, Everything, Exists, Not, Or, Query, Range, Span, Term, Wildcard
from soc.query.parse import parse

# Which events there are at all, not what is in them.
_WHERE = frozenset({"organization.id", "event.dataset", "event.kind", "@timestamp"})


def compiled(condition: str, zone: tzinfo) -> Query:
    """What the condition of an exception asks for. Raises `QueryError` that says what is wrong with it."""
    query = narrowing(condition, zone)
    if not _narrow(query):
        raise QueryError(
            "an exception asks a field for a value, each way to satisfy it: not only that the field exists, what it is not, "
            "when it was, or whose it is. To hear nothing of a rule, switch it off for the organisation"
        )
    return query


def narrowing(condition: str, zone: tzinfo) -> Query:
    """What a condition asks for that a rule is narrowed by: also what a field must not be.
    Raises `QueryError` that says what is wrong with it."""
    query = parse(condition, zone)
    for part in _leaves(query):
        if isinstance(part, Everything) or part.field is None:
            raise QueryError("name the fields that are asked: write source.ip:10.0.0.5, not a word by itself")
    return query


def fields(query: Query) -> set[str]:
    """The fields that it asks."""
    return {part.field for part in _leaves(query) if not isinstance(part, Everything) and part.field is not None}


def _leaves(query: Query) -> Iterator[Everything | Term | Wildcard | Range | Span | Cidr | Exists]:
    match query:
        case And(clauses) | Or(clauses):
            for clause in clauses:
                yield from _leaves(clause)
        case Not(clause):
            yield from _leaves(clause)
        case _:
            yield query


def _narrow(query: Query) -> bool:
    """Whether nothing satisfies it that has not some value of its own."""
    match query:
        case And(clauses):
            return any(map(_narrow, clauses))
        case Or(clauses):
            return all(map(_narrow, clauses))
        case Term(field, text):
            return field not in _WHERE and bool(text.strip())
        case Wildcard(field, pattern):
            return field not in _WHERE and bool(pattern.replace("*", "").replace("?", "").strip("\\ "))
        case Cidr(field, network):
            return field not in _WHERE and network.prefixlen > 0
        case Range(field):
            return field not in _WHERE
    return False
