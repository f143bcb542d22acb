"""A query as a condition of SQLite over the table `event` of the event log (soc.buffer.sqlite).

The condition narrows, using the columns and their indexes: every event that `matches` the query satisfies it, and
`soc.query.evaluate` decides on what is left. So there is one definition of every operator, and no JSON path in SQL.
Values are always bound, never written into the SQL.

It relies on the columns being what the document says: `org` is `organization.id`, `dataset` is `event.dataset`, `source_ip`
is `source.ip` (one address, as in ECS) and the first 12 digits of `id` are `@timestamp` in ms, except of undated events.
"""

from __future__ import annotations

import re
import sqlite3
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from soc.query.ast import And, Cidr, Or, Query, Span, Term, Wildcard
from soc.query.fold import fold
from soc.query.values import address

Condition = tuple[str, list[object]]

_NOTHING: Condition = ("0", [])
_COLUMNS = {"organization.id": "org", "event.dataset": "dataset"}
_MANY_SPELLINGS = 500
_SIGNS = re.compile(r"\\.|[*?]", re.DOTALL)
# Text that JSON writes as it is ...
_PLAIN = re.compile(r"[ !#-\[\]-~]+")
# ... and what may be a number, which JSON and Python write differently.
_NUMERIC = re.compile(r"[0-9e+-]*\.?[0-9e+-]*")


def where(query: Query, db: sqlite3.Connection | None = None, *, dated: bool = True) -> Condition:
    """A condition and its values, true of at least the events that match.

    With `db`, the spellings of an organisation or dataset are looked up in its index (0.1 ms), so that the condition can use
    it. `dated`: false where ids say nothing of the time that an event claims. Raises `sqlite3.Error` only when `db` does.
    """
    index = "+" if by_address(query) else ""  # with the sign, an index is not used
    return _narrow(query, db, dated, index) or ("1", [])


def by_address(query: Query) -> bool:
    """Whether the index of addresses is the best way to what `where` narrows to: one address or few, whatever else is asked."""
    match query:
        case And(clauses):
            return any(map(by_address, clauses))
        case Term("source.ip", text):
            return isinstance(address(text), IPv4Address)
        case Cidr("source.ip", network):
            return network.version == 4 and network.prefixlen >= 24
    return False


def _narrow(query: Query, db: sqlite3.Connection | None, dated: bool, index: str) -> Condition | None:
    """None when nothing can be said."""
    match query:
        case And(clauses):
            known = [part for clause in clauses if (part := _narrow(clause, db, dated, index))]
            known.sort(key=lambda part: "doc" in part[0])  # reading documents comes last
            return _joined(known, " AND ") if known else None
        case Or(clauses):
            parts = [_narrow(clause, db, dated, index) for clause in clauses]
            known = [part for part in parts if part]
            return _joined(known, " OR ") if len(known) == len(parts) else None
        case Term("source.ip", text) if isinstance(address(text), IPv4Address):
            return "source_ip = ?", [text]
        case Term(str(field), text) if field in _COLUMNS and not isinstance(address(text), IPv6Address):
            return _code(_COLUMNS[field], fold(text), db, index)
        case Cidr("source.ip", network):
            return _network(network)
        case Span("@timestamp", since, until):
            return _span(since, until) if dated else None
        case Term(_, text) if not isinstance(address(text), IPv6Address):  # which has several spellings
            return _somewhere(text)
        case Wildcard(_, pattern):
            return _somewhere(max(_SIGNS.split(pattern), key=len))
    return None


def _joined(parts: list[Condition], word: str) -> Condition:
    return f"({word.join(sql for sql, _ in parts)})", [value for _, values in parts for value in values]


def _code(column: str, folded: str, db: sqlite3.Connection | None, index: str) -> Condition:
    if db is not None and (spellings := _spellings(column, db)) is not None:
        wanted: list[object] = [value for value in spellings if fold(value) == folded]
        if not wanted:
            return _NOTHING
        return f"{index}{column} IN ({','.join('?' * len(wanted))})", wanted
    # NOCASE knows the letters of ASCII alone; what has others is left to the evaluation.
    return f"({column} = ? COLLATE NOCASE OR {column} GLOB '*[^ -~]*')", [folded]


def _spellings(column: str, db: sqlite3.Connection) -> list[str] | None:
    """The different values of an indexed column, by one jump in the index for each; None when there are too many."""
    sql = f"""WITH RECURSIVE value(x) AS (
        SELECT min({column}) FROM event
        UNION ALL SELECT (SELECT min({column}) FROM event WHERE {column} > x) FROM value WHERE x IS NOT NULL
    ) SELECT x FROM value WHERE x IS NOT NULL LIMIT ?"""
    found = [value for (value,) in db.execute(sql, (_MANY_SPELLINGS + 1,))]
    return found if len(found) <= _MANY_SPELLINGS else None


def _network(network: IPv4Network | IPv6Network) -> Condition | None:
    """Whole octets of an IPv4 network are a prefix of the text; the sign after the dot is the slash."""
    octets = network.prefixlen // 8
    if network.version != 4 or octets == 0:
        return None
    text = str(network.network_address)
    if octets == 4:
        return "source_ip = ?", [text]
    prefix = ".".join(text.split(".")[:octets])
    return "(source_ip >= ? AND source_ip < ?)", [f"{prefix}.", f"{prefix}/"]


def _somewhere(text: str) -> Condition | None:
    """`text` somewhere in the document: four times as fast as reading the JSON. LIKE folds ASCII as we do; documents with
    other letters (more bytes than letters) are left to the evaluation."""
    folded = fold(text)
    if not _PLAIN.fullmatch(folded) or _NUMERIC.fullmatch(folded):
        return None
    like = re.sub("([%_])", r"|\1", folded.replace("|", "||"))
    return "(doc LIKE ? ESCAPE '|' OR length(doc) < length(CAST(doc AS BLOB)))", [f"%{like}%"]


def _span(since: int | None, until: int | None) -> Condition | None:
    bounds = [(sign, ms) for sign, ms in ((">=", since), ("<", until)) if ms is not None]
    if any(ms <= 0 for _, ms in bounds):  # before 1970 ids do not sort by time
        return None
    parts: list[Condition] = [(f"id {sign} ?", [f"{ms:012x}"]) for sign, ms in bounds]
    return _joined(parts, " AND ") if parts else None
