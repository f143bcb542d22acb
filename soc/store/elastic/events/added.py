"""What the writer adds to a document so that it is found: the text of letters that the index cannot fold, and unknown fields.

Elasticsearch's folding knows neither `đ` nor our rules, and not every distribution has it; so text with letters beyond ASCII
is folded here (soc.query.fold) and kept in one more field, `FOLDED`, which every search looks into as well. Text too long for
one term goes there too, in pieces that overlap by more than what a search looks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from soc.model.event import Fields, Value
from soc.query.fold import fold
from soc.store.elastic.events.fields import FOLDED, KNOWN, UNKNOWN

# Letters of one term, at most: they may take three bytes each, and Lucene refuses a document with a term above 32,766 bytes.
LONGEST = 8191
# The index counts letters beyond U+FFFF twice, we once.
_PIECE = LONGEST // 2
OVERLAP = 1000
_LONGEST_UNKNOWN = 1000


def plain(text: bytes) -> bool:
    """Whether a document as JSON needs no more than its unknown fields looked at: most of a log."""
    return text.isascii() and len(text) <= LONGEST


def added(fields: Fields) -> dict[str, object]:
    """What to add to the document; mostly nothing."""
    more: dict[str, object] = {}
    if not KNOWN.issuperset(fields):
        more[UNKNOWN] = {
            name: _short(value) for name, value in fields.items() if name not in KNOWN and value not in (None, [])
        }
    if folded := [piece for value in fields.values() for text in _texts(value) for piece in _folded(text)]:
        more[FOLDED] = folded
    return more


def without_added(document: Mapping[str, Value]) -> Fields:
    """The event's fields as they were."""
    return {name: value for name, value in document.items() if name not in (FOLDED, UNKNOWN)}


def _texts(value: Value) -> Iterator[str]:
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, str):
            yield item


def _folded(text: str) -> Iterator[str]:
    if text.isascii() and len(text) <= LONGEST:
        return
    whole = fold(text)
    for start in range(0, max(len(whole) - OVERLAP, 1), _PIECE - OVERLAP):
        yield whole[start : start + _PIECE]


def _short(value: Value) -> object:
    if isinstance(value, list):
        return [_short(item) for item in value if item is not None]
    return value[:_LONGEST_UNKNOWN] if isinstance(value, str) else value
