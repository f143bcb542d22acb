"""Event: one ECS document, and the functions that give it its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, cast

import orjson

Scalar = str | int | float | bool | None
Value = Scalar | list[Scalar]
MAX_NAME = 256
_SCALARS = frozenset({str, int, float, bool, type(None)})
# ECS 8.x field names as flat dotted keys. A key is never both a value and a prefix; lists hold scalars only.
Fields = dict[str, Value]

# Dead letters whose time is not known live under this day; see `day_of`.
UNDATED = "undated"
PIPELINE_ERROR = "pipeline_error"
_HEX = frozenset("0123456789abcdef")


class Event(NamedTuple):  # made for every line, in half the time of a frozen dataclass
    """One ECS document.

    `id`: 32 hex digits, the first 12 the event time in ms since 1970 UTC (0 when undated), the rest a hash, so that ids sort by event time.
    `ts`: event time, ms since 1970 UTC; 0 when undated.
    `fields`: the document, with `@timestamp`, `organization.id`, `event.dataset` and `event.id` in it.
    """

    id: str
    ts: int
    org: str
    dataset: str
    fields: Fields

    @property
    def dead(self) -> bool:
        return self.fields.get("event.kind") == PIPELINE_ERROR


class Stored(NamedTuple):
    """An event as the event log holds it: the document is JSON, so that what no rule looks at costs no parsing.

    `source`: the id of the enrolled source. `doc`: the fields as orjson writes them, UTF-8. The rest is as in `Event`.
    """

    id: str
    ts: int
    org: str
    dataset: str
    source: str
    source_ip: str | None
    doc: bytes

    @classmethod
    def of(cls, event: Event) -> Stored:
        id_, ts, org, dataset, fields = event
        source, ip = fields.get("govsoc.source.id"), fields.get("source.ip")
        return cls(
            id_,
            ts,
            org,
            dataset,
            source if isinstance(source, str) else "",
            ip if isinstance(ip, str) else None,
            orjson.dumps(fields),
        )

    @property
    def event(self) -> Event:
        """Parsed, anew each time."""
        return Event(self.id, self.ts, self.org, self.dataset, orjson.loads(self.doc))

    @property
    def dead(self) -> bool:
        """A dead letter has no time."""
        return not self.ts


def event_id(ts: int, source: str, position: str, masked_line: str) -> str:
    """The id of the event that `source` holds at `position`.

    `masked_line` is the line with personal data replaced by its *kind* (`<phone>`), never the raw line: an id made from
    that would let a reader test guesses of phone numbers against it.
    """
    digest = hashlib.blake2b(f"{source}\0{position}\0{masked_line}".encode(errors="surrogatepass"), digest_size=10)
    return f"{ts:012x}{digest.hexdigest()}"


def possible_ids(ids: Iterable[str]) -> list[str]:
    """Those that an event may have, each once, sorted: what else people type into an address is the id of none."""
    return sorted(id_ for id_ in set(ids) if len(id_) == 32 and set(id_) <= _HEX)


def day_of(event_id_: str) -> str:
    """The UTC day (`2026-11-22`, or `undated`) that an event id belongs to: the place is a function of the event."""
    return utc_day(int(event_id_[:12], 16))


def utc_day(ts: int) -> str:
    """The UTC day of an event's time (ms); `undated` for 0."""
    return datetime.fromtimestamp(ts / 1000, UTC).strftime("%Y-%m-%d") if ts else UNDATED


def iso(ts: int) -> str:
    """Milliseconds since 1970 as `2026-11-22T09:30:00.123Z`."""
    return datetime.fromtimestamp(ts / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def nested(fields: Mapping[str, Value]) -> dict[str, object]:
    """Flat dotted keys to nested objects: `{"source.ip": x}` to `{"source": {"ip": x}}`."""
    out: dict[str, object] = {}
    for key, value in fields.items():
        *parents, leaf = key.split(".")
        node = out
        for parent in parents:
            child = node.setdefault(parent, {})
            if not isinstance(child, dict):  # a key that is both value and prefix: keep the flat spelling, lose nothing
                node, leaf = out, key
                break
            node = child
        node[leaf] = value
    return out


def flat(document: Mapping[str, object], prefix: str = "") -> Fields:
    """Nested or flat JSON object to flat dotted keys; objects inside lists, and what would have a name of more than `MAX_NAME`
    characters, become one JSON string each. Raises ValueError for lists that are nested deeper than JSON is written."""
    kinds = set(map(type, document.values()))
    if not prefix and dict not in kinds:  # flat already, as most are
        copy = cast("Fields", dict(document))
        if list in kinds:
            copy |= {key: _scalars(value) for key, value in document.items() if isinstance(value, list)}
        return copy
    out: Fields = {}
    stack: list[tuple[str, Mapping[str, object]]] = [(prefix, document)]
    while stack:
        at, node = stack.pop()
        for key, value in node.items():
            kind = value.__class__
            if kind is dict:
                name = f"{at}{key}."
                if len(name) <= MAX_NAME:
                    stack.append((name, cast("Mapping[str, object]", value)))
                else:  # every name below it would repeat it
                    out[at + key] = _text(value)
            elif kind is list:
                out[at + key] = _scalars(cast("list[object]", value))
            else:
                out[at + key] = cast("Scalar", value)
    return out


def _scalars(values: list[object]) -> list[Scalar]:
    if _SCALARS.issuperset(map(type, values)):
        return cast("list[Scalar]", values)
    return [cast("Scalar", v) if v.__class__ in _SCALARS else _text(v) for v in values]


def _text(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # deeper than 254 levels, or half a character
        pass
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
