"""What a correlation reads from an event: the group it belongs to, and what it adds there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache

from rules.correlate.group import CARRIED_BYTES
from rules.correlate.window import NUMBER_BYTES, packed_number
from rules.predicate import texts
from rules.rule import Correlation
from soc.model.event import Fields

MOST_CHARS = (
    512  # of a text to group by; a longer one, or one with a separator, is cut, with a hash that tells it from others
)
BETWEEN = "\x1f"  # the texts of a list; a NUL is between fields
VALUE_BYTES = 8
_PAYLOADS = {
    "event_count": 0,
    "value_count": VALUE_BYTES,
    "value_sum": NUMBER_BYTES,
    "value_avg": NUMBER_BYTES,
    "value_percentile": NUMBER_BYTES,
    "value_median": NUMBER_BYTES,
    "temporal": 1,
    "temporal_ordered": 1,
    "absence": 1,
}


def grouping(fields: Fields, names: Sequence[str]) -> list[str] | None:
    """The texts of these fields, those of a list joined by `BETWEEN`; None when one is missing. No two values have the same text."""
    by = []
    for name in names:
        value = fields.get(name)
        if value.__class__ is str:
            text = _safe(value)
        elif found := texts(value):
            text = BETWEEN.join(map(_safe, found))
        else:
            return None
        by.append(text if len(text) <= MOST_CHARS else _cut(text))
    return by


def values_of(names: Sequence[str], by: Sequence[str]) -> Fields:
    """What `grouping` has read, as an event would hold it."""
    values: Fields = {}
    for name, text in zip(names, by, strict=False):
        values[name] = [*text.split(BETWEEN)] if BETWEEN in text else text
    return values


def joined(by: Sequence[str]) -> str:
    """One text for a group, which no other group has; `shown` makes it fit to be read."""
    return "\0".join(by) if any(", " in text for text in by) else ", ".join(by)


def shown(text: str) -> str:
    return text.replace("\0", ", ").replace(BETWEEN, ", ")


def payload_bytes(correlation: Correlation) -> int:
    return _PAYLOADS[correlation.type]


def payload_of(correlation: Correlation, rule_id: str) -> Callable[[Fields], bytes | None]:
    """Reads from an event that this base rule found what a record holds of it; None when the event lacks it."""
    names = correlation.resolved(correlation.counted, rule_id)
    if correlation.type == "event_count":
        return lambda _: b""
    if payload_bytes(correlation) == 1:
        place = correlation.rules.index(rule_id).to_bytes(1)
        return lambda _: place
    if correlation.type == "value_count":
        return lambda fields: None if (found := grouping(fields, names)) is None else hashed("\0".join(found))
    [name] = names
    return lambda fields: _number(fields.get(name))


@lru_cache(maxsize=8192)
def hashed(text: str) -> bytes:
    """Stands for a value: two that differ are taken for one once in 2^64."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=VALUE_BYTES).digest()


def carried_name(found: Sequence[str]) -> bytes:
    return hashlib.blake2b("\0".join(found).encode(errors="surrogatepass"), digest_size=CARRIED_BYTES).digest()


def _number(value: object) -> bytes | None:
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if value is None or isinstance(value, bool) or (isinstance(value, str) and len(value) > 64):
        return None
    return packed_number(str(value))


def _safe(text: str) -> str:
    """Without separators."""
    if "\0" not in text and BETWEEN not in text:
        return text
    return _cut(text).replace("\0", "�").replace(BETWEEN, "�")


def _cut(text: str) -> str:
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return f"{text[: MOST_CHARS - 32]} … [{digest}]"
