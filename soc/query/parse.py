"""Search expressions as people type them, to `Query`. The language is described in docs/search.md.

The grammar is luqum's. What it cannot read, though people type it every day (`url.path:/login`, `source.ip:2001:db8::1`,
`@timestamp:>=2026-03-02T09:00:00+07:00`), is shielded from it letter for letter, so that positions stay true.
"""

from __future__ import annotations

import re
import threading
from datetime import UTC, tzinfo
from ipaddress import ip_network

from luqum import tree
from luqum.exceptions import ParseError as LuqumError
from luqum.parser import lexer, parser

from soc.errors import QueryError
from soc.query.ast import (
    TEXT_FIELDS,
    TIME_FIELDS,
    And,
    Bound,
    Cidr,
    Everything,
    Exists,
    Not,
    Or,
    Query,
    Range,
    Span,
    Term,
    Wildcard,
)
from soc.query.shield import MAX_DEPTH, shield, unshield
from soc.query.values import address, number, period

MAX_CHARACTERS = 2_000
MAX_CLAUSES = 200

_FIELD = re.compile(r"[^\W\d][\w.@-]*|@[\w.@-]*")
_WILDCARD = re.compile(r"(?:[^\\]|\\.)*?[*?]", re.DOTALL)
_PLY = threading.Lock()  # the tables are shared, and PLY does not promise more


def parse(text: str, zone: tzinfo = UTC) -> Query:
    """The meaning of a search expression; nothing but spaces means `Everything`.

    `zone` is the time zone of dates that name none. Raises `QueryError` with a reason for people and the position;
    a text over `MAX_CHARACTERS`, `MAX_CLAUSES` or `MAX_DEPTH` is refused.
    """
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"the search is {len(text)} characters long; {MAX_CHARACTERS} is the most", MAX_CHARACTERS)
    if not text.strip():
        return Everything()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError("half a character (a lone surrogate)", error.start) from None
    safe = shield(text)
    try:
        with _PLY:
            node = parser.parse(safe, lexer=lexer.clone())
    except LuqumError as error:
        raise _explained(error, text) from None
    return _Reader(zone).read(node, None, 0)


def _explained(error: LuqumError, text: str) -> QueryError:
    found = re.search(r"position (\d+)!?\Z", str(error))
    if not found:
        return QueryError("the search ends too early: a word or a closing bracket is missing", len(text))
    at = int(found[1])
    return QueryError(f"cannot read on from {text[at : at + 20]!r}; put quotes around it if it is text", at)


class _Reader:
    """Turns one tree of luqum's into a Query; counts what it has read."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._clauses = 0

    def read(self, node: tree.Item, field: str | None, depth: int) -> Query:
        if depth > MAX_DEPTH:
            raise QueryError(f"more than {MAX_DEPTH} levels inside one another", node.pos)
        match node:
            case tree.BaseOperation():
                return self._operation(node, field, depth)
            case tree.BaseGroup() | tree.Plus():
                return self.read(node.children[0], field, depth + 1)
            case tree.Not() | tree.Prohibit():
                return Not(self.read(node.children[0], field, depth + 1))
            case tree.SearchField():
                return self._search_field(node, field, depth)
        self._clauses += 1
        if self._clauses > MAX_CLAUSES:
            raise QueryError(f"more than {MAX_CLAUSES} clauses", node.pos)
        match node:
            case tree.Word() | tree.Phrase():
                return self._value(node, field)
            case tree.Range():
                return self._range(node, field, node.low, node.high, node.include_low, node.include_high)
            case tree.From():
                return self._range(node, field, node.a, None, node.include, True)
            case tree.To():
                return self._range(node, field, None, node.a, True, node.include)
        raise QueryError("this is not supported", node.pos)

    def _operation(self, node: tree.BaseOperation, field: str | None, depth: int) -> Query:
        """AND binds before OR, and OR before a mere space, which is an AND."""
        required: list[Query] = []
        for row in _split(_in_order(node), tree.UnknownOperation):
            parts = [[i for i in part if i is not tree.AndOperation] for part in _split(row, tree.OrOperation)]
            if len(parts) > 1 and (plus := next((i for part in parts for i in part if isinstance(i, tree.Plus)), None)):
                raise QueryError("'+' beside OR is not supported: use brackets and AND", plus.pos)
            choices = [[self.read(item, field, depth + 1) for item in part] for part in parts]
            required += choices[0] if len(choices) == 1 else [Or(tuple(_and(choice) for choice in choices))]
        return _and(required)

    def _search_field(self, node: tree.SearchField, field: str | None, depth: int) -> Query:
        name, value = unshield(node.name), node.expr
        if field is not None:
            raise QueryError(f"a field inside the brackets of {field!r}", node.pos)
        if isinstance(value, tree.Prohibit | tree.Plus | tree.Not):
            raise QueryError(
                f"to exclude a value write -{name}:...; a sign that belongs to the value needs quotes", node.pos
            )
        if name == "*" and isinstance(value, tree.Word) and value.value == "*":
            return Everything()
        if name == "_exists_" and isinstance(value, tree.Word):
            self._clauses += 1
            return Exists(_field_name(unshield(value.value), value.pos))
        return self.read(value, _field_name(name, node.pos), depth + 1)

    def _value(self, node: tree.Word | tree.Phrase, field: str | None) -> Query:
        raw = unshield(node.value)
        if isinstance(node, tree.Phrase):
            return self._term(_unescape(raw[1:-1]), field, node.pos)
        if raw in ("&&", "||"):
            raise QueryError("write AND and OR as words", node.pos)
        if not _WILDCARD.match(raw):
            return self._term(_unescape(raw), field, node.pos)
        if not raw.strip("*"):
            return Exists(field) if field else Everything()
        if field in TIME_FIELDS:
            raise QueryError(f"a time has no wildcards: write {field}:2026-03-02, or a range", node.pos)
        return Wildcard(field, re.sub(r"\\(.)", lambda pair: pair[0 if pair[1] in "*?\\" else 1], raw, flags=re.DOTALL))

    def _term(self, text: str, field: str | None, at: int) -> Query:
        if field in TIME_FIELDS:
            return Span(field, *self._period(text, at))
        start, slash, bits = text.rpartition("/")
        if field is None or field in TEXT_FIELDS or not slash or address(start) is None:
            return Term(field, text)
        try:
            return Cidr(field, ip_network(text, strict=False))
        except ValueError:
            raise QueryError(f"/{bits} is not the size of a network", at) from None

    def _range(
        self, node: tree.Item, field: str | None, low: tree.Term, high: tree.Term, with_low: bool, with_high: bool
    ) -> Query:
        if field is None:
            raise QueryError("a range needs a field: http.response.status_code:[400 TO 499]", node.pos)
        lower, upper = _end(low), _end(high)
        if lower is None and upper is None:
            return Exists(field)
        if field in TIME_FIELDS:
            since = None if lower is None else self._period(lower, node.pos)[0 if with_low else 1]
            until = None if upper is None else self._period(upper, node.pos)[1 if with_high else 0]
            return Span(field, since, until)
        bounds = [None if text is None else _bound(text, node.pos) for text in (lower, upper)]
        if len({_kind(bound) for bound in bounds if bound is not None}) > 1:
            raise QueryError("the two ends of a range are of different kinds", node.pos)
        return Range(field, bounds[0], bounds[1], with_low, with_high)

    def _period(self, text: str, at: int) -> tuple[int, int]:
        if found := period(text, self._zone):
            return found
        raise QueryError(f"{text!r} is not a time: write 2026-03-02, 2026-03-02T09:30 or 2026-03-02T09:30:00+07:00", at)


def _in_order(node: tree.Item) -> list[tree.Item | type[tree.Item]]:
    """Operands with the kind of operation between each two, as they were written; luqum groups them by more than we promise."""
    row: list[tree.Item | type[tree.Item]] = []
    waiting: list[tree.Item | type[tree.Item]] = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tree.BaseOperation):
            for n, operand in enumerate(reversed(item.children)):
                waiting += [type(item), operand] if n else [operand]
        else:
            row.append(item)
    return row


def _split(row: list[tree.Item | type[tree.Item]], at: type[tree.Item]) -> list[list[tree.Item | type[tree.Item]]]:
    parts: list[list[tree.Item | type[tree.Item]]] = [[]]
    for item in row:
        if item is at:
            parts.append([])
        else:
            parts[-1].append(item)
    return parts


def _and(clauses: list[Query]) -> Query:
    return clauses[0] if len(clauses) == 1 else And(tuple(clauses))


def _field_name(name: str, at: int) -> str:
    if len(name) <= 200 and _FIELD.fullmatch(name):
        return name
    raise QueryError(f"{name[:40]!r} is not the name of a field; put quotes around text that holds a colon", at)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _end(node: tree.Term | None) -> str | None:
    """An end of a range as text; None when it is open."""
    if node is None or node.value == "*":
        return None
    text = unshield(node.value)
    return _unescape(text[1:-1] if isinstance(node, tree.Phrase) else text)


def _bound(text: str, at: int) -> Bound:
    if (value := number(text)) is not None:
        return value
    if (ip := address(text)) is not None:
        return ip
    raise QueryError(f"{text!r} is neither a number nor an address: ranges are of numbers, addresses and times", at)


def _kind(bound: Bound) -> object:
    return getattr(bound, "version", None)  # 4, 6, or a number
