"""One term, wildcard, range ... of a search as conditions of Elasticsearch, by the kind of its field. See `query`."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network
from typing import Any

from soc.query.ast import BARE_FIELDS, Cidr, Exists, Range, Span, Term, Wildcard
from soc.query.fold import fold
from soc.query.values import address, number
from soc.store.elastic.events.fields import FIELDS, FOLDED, ID, UNKNOWN
from soc.store.elastic.events.words import Atom, atoms, best, is_atom

Json = dict[str, Any]
Leaf = Term | Wildcard | Exists | Range | Span | Cidr
# Conditions one of which holds at least (None: nothing is known), and one that suffices (None: none is known).
Found = tuple[list[Json] | None, Json | None]

_INT64 = 2**63
_EXACT = 2**53  # beyond, a double is not every integer
_SIGN = re.compile(r"\\.|[^\\]", re.DOTALL)
_LONG_PREFIX = re.compile(r"([1-9]\d{0,17})\*")
_MAPPED = ip_network("::ffff:0:0/96")


class Leaves:
    """`words`: how many words of a text are looked for at most."""

    def __init__(self, words: int) -> None:
        self._words = words

    def of(self, leaf: Leaf) -> Found:
        field = leaf.field
        if field is None:
            assert isinstance(leaf, Term | Wildcard)
            return self._bare(leaf)
        if field == ID:
            return _id(leaf)
        kind = FIELDS.get(field)
        if kind is None:
            return [_exists(f"{UNKNOWN}.{field}")], None
        if isinstance(leaf, Exists):
            return [_exists(field), _ignored(field), _exists(f"{UNKNOWN}.{field}")], _exists(field)
        if kind == "text":
            most, least = self._text(field, leaf)
        else:
            by_kind: Callable[[str, Any], Found] = {
                "keyword": self._keyword,
                "wide keyword": self._keyword,
                "ip": self._ip,
                "date": _date,
                "boolean": _boolean,
            }.get(kind, _number)
            most, least = by_kind(field, leaf)
            if most is not None and kind not in ("keyword", "wide keyword"):
                most = [*most, _ignored(field)]
        # What was written before the index knew the field lies there still.
        return None if most is None else [*most, _exists(f"{UNKNOWN}.{field}")], least

    def _bare(self, leaf: Term | Wildcard) -> Found:
        found = [self._text(field, leaf) for field in BARE_FIELDS]
        most = [clause for clauses, _ in found for clause in clauses or []]
        least = [clause for _, clause in found if clause]
        unique = [clause for n, clause in enumerate(most) if clause not in most[:n]]
        return unique, {"bool": {"should": least}} if least else None

    def _text(self, field: str, leaf: Leaf) -> Found:
        if isinstance(leaf, Term | Wildcard):
            pieces = [fold(leaf.text)] if isinstance(leaf, Term) else _literals(leaf.pattern)
            least = Atom(pieces[0]).clause(field) if _is_one(leaf, pieces) else None
            most = [self._folded(pieces)]
            if all(piece.isascii() for piece in pieces):
                most.append(self._inside(field, pieces))
            return most, least
        return [_exists(field)], None

    def _keyword(self, field: str, leaf: Leaf) -> Found:
        match leaf:
            case Term(_, text):
                wanted = fold(text)
                if isinstance(address(text), IPv6Address):  # which has several spellings
                    return [_exists(field)], {"term": {field: wanted}}
                return [{"terms": {field: _spellings(text)}}, self._folded([wanted])], {"term": {field: wanted}}
            case Wildcard(_, pattern):
                wildcard, same = _simple(pattern)
                clause: Json = {"wildcard": {field: wildcard}}
                return [clause, self._folded(_literals(pattern))], clause if same else None
            case Cidr(_, IPv4Network() as network) if prefix := _octets(network):
                return [{"prefix": {field: prefix}}], None
        return [_exists(field)], None

    def _ip(self, field: str, leaf: Leaf) -> Found:
        text_field = f"{field}.text"
        match leaf:
            case Term(_, text) if isinstance(ip := address(text), IPv6Address):
                return [_between(field, ip, ip), {"term": {text_field: fold(text)}}], None
            case Cidr(_, network):
                return _network(field, network[0], network[-1])
            case Range(_, low, high, with_low, with_high) if not isinstance(
                low if low is not None else high, int | float
            ):
                most, least = _network(field, *_ends(low, high))
                return most, least if with_low and with_high else None
            case Term() | Wildcard():
                return self._keyword(text_field, leaf)
        return [], None

    def _inside(self, field: str, pieces: list[str]) -> Json:
        wanted = best([atom for piece in pieces for atom in atoms(piece)], self._words)
        clauses = [atom.clause(field) for atom in wanted]
        if len(clauses) < 2:
            return clauses[0] if clauses else _exists(field)
        return {"bool": {"filter": clauses}}

    def _folded(self, pieces: list[str]) -> Json:
        return self._inside(FOLDED, pieces)


def _id(leaf: Leaf) -> Found:
    if isinstance(leaf, Term):
        clause: Json = {"ids": {"values": [fold(leaf.text)]}}
        return [clause], clause
    return None, None


def _number(field: str, leaf: Leaf) -> Found:
    match leaf:
        case Term(_, text):
            amount = number(text)
            if amount is None or (FIELDS[field] == "long" and amount != int(amount)):
                return [], None
            return _amounts(field, amount, amount)
        case Range(_, low, high, with_low, with_high) if isinstance(low if low is not None else high, int | float):
            most, least = _amounts(field, low, high)
            if least is not None:  # the ends are in `most` either way
                ends = {("gte" if with_low else "gt"): low, ("lte" if with_high else "lt"): high}
                least = {"range": {field: {sign: end for sign, end in ends.items() if end is not None}}}
            return most, least
        case Wildcard(_, pattern) if FIELDS[field] == "long" and (found := _LONG_PREFIX.fullmatch(pattern)):
            first = int(found[1])
            tens = [10**n for n in range(19) if first * 10**n < _INT64]
            return [_range(field, first * ten, min((first + 1) * ten, _INT64) - 1) for ten in tens], None
        case Wildcard():
            return [_exists(field)], None
    return [], None


def _amounts(field: str, low: Any, high: Any) -> Found:
    """Both ends included. Beyond what the field can hold there is nothing, or no end."""
    if FIELDS[field] == "long":
        if (low is not None and low >= _INT64) or (high is not None and high < -_INT64):
            return [], None
        ends = [end if end is not None and -_INT64 <= end < _INT64 else None for end in (low, high)]
        exact = ends == [low, high]
    else:
        ends = [None if end is None else _double(end) for end in (low, high)]
        exact = all(end is None or abs(end) < _EXACT for end in (low, high))
    if ends == [None, None]:
        return [_exists(field)], None
    clause = _range(field, *ends)
    return [clause], clause if exact else None


def _double(amount: int | float) -> float | None:
    try:
        return float(amount)
    except OverflowError:
        return None


def _date(field: str, leaf: Leaf) -> Found:
    if isinstance(leaf, Span):
        ends = {"gte": leaf.since, "lt": leaf.until}
        known = {sign: ms for sign, ms in ends.items() if ms is not None}
        clause: Json = {"range": {field: {**known, "format": "epoch_millis"}}}
        # Ours is always an instant; of others the server reads more than we do, such as a year.
        return [clause], clause if field == "@timestamp" else None
    return [_exists(field)], None


def _boolean(field: str, leaf: Leaf) -> Found:
    if isinstance(leaf, Term):
        wanted = fold(leaf.text)
        clause: Json = {"term": {field: wanted}}
        return ([clause], clause) if wanted in ("true", "false") else ([_exists(field)], None)
    return [_exists(field)], None


def _network(field: str, low: IPv4Address | IPv6Address, high: IPv4Address | IPv6Address) -> Found:
    clause = _between(field, low, high)
    if isinstance(low, IPv4Address):
        # `::ffff:10.0.0.1` is another address than 10.0.0.1 to us, and the same to the index.
        spelled = [{"prefix": {f"{field}.text": start}} for start in ("::", "0")]
        return [clause], {"bool": {"filter": [clause], "must_not": spelled}}
    outside = int(high) < int(_MAPPED[0]) or int(low) > int(_MAPPED[-1])
    return [clause], clause if outside else None


def _ends(low: Any, high: Any) -> tuple[Any, Any]:
    whole = ip_network("0.0.0.0/0" if isinstance(low if low is not None else high, IPv4Address) else "::/0")
    return whole[0] if low is None else low, whole[-1] if high is None else high


def _between(field: str, low: IPv4Address | IPv6Address, high: IPv4Address | IPv6Address) -> Json:
    return _range(field, *(str(end).partition("%")[0] for end in (low, high)))


def _range(field: str, low: Any, high: Any) -> Json:
    return {"range": {field: {sign: end for sign, end in (("gte", low), ("lte", high)) if end is not None}}}


def _exists(field: str) -> Json:
    return {"exists": {"field": field}}


def _ignored(field: str) -> Json:
    return {"term": {"_ignored": field}}


def _octets(network: IPv4Network) -> str:
    """The text that addresses of the network start with; empty for very wide ones."""
    octets = str(network.network_address).split(".")[: network.prefixlen // 8]
    return ".".join(octets) + ("." if 0 < len(octets) < 4 else "")


def _spellings(text: str) -> list[str]:
    """What a keyword field may hold for a term: its text, and numbers as JSON and as the server write them."""
    found = {fold(text)}
    if (amount := number(text)) is not None:
        if amount == int(amount):
            found |= {str(int(amount)), f"{int(amount)}.0"}
        if (double := _double(amount)) is not None:
            found |= {repr(double), _java(double)}
    return sorted(found)


def _java(amount: float) -> str:
    """As Java writes a double, in small letters: 1.0e16."""
    if amount == 0 or 1e-3 <= abs(amount) < 1e7:
        return repr(amount)
    shortest = next(text for digits in range(17) if float(text := f"{amount:.{digits}e}") == amount)
    mantissa, _, exponent = shortest.partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent)}"


def _is_one(leaf: Term | Wildcard, pieces: list[str]) -> bool:
    """Whether all that is looked for is one atom anywhere."""
    return len(pieces) == 1 and is_atom(pieces[0]) and (isinstance(leaf, Term) or "?" not in leaf.pattern)


def _literals(pattern: str) -> list[str]:
    """The folded texts between the wildcards."""
    pieces = [""]
    for sign in _SIGN.findall(pattern):
        if sign in ("*", "?"):
            pieces.append("")
        else:
            pieces[-1] += fold(sign[-1])
    return [piece for piece in pieces if piece]


def _simple(pattern: str) -> tuple[str, bool]:
    """The folded pattern, or a wider one where the server would need too much memory for it; and whether it is the same.

    A `?` behind a `*` makes the automaton grow exponentially.
    """
    out: list[str] = []
    same = True
    for sign in _SIGN.findall(pattern):
        if sign == "?" and "*" in out:
            same = False
        if sign in ("*", "?"):
            wider = "*" if "*" in out else sign
            if out[-1:] != ["*"]:
                out.append(wider)
            continue
        folded = fold(sign[-1])
        out.append(f"\\{folded}" if folded in ("*", "?", "\\") else folded)
    return "".join(out), same
