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
MAX_LISTS = 8  # around what still has a name of its own: each of them is written as JSON, and what is in it again
_SCALARS = frozenset({str, int, float, bool, type(None)})
# ECS 8.x field names as flat dotted keys. A key is never both a value and a prefix; lists hold scalars only.
Fields = dict[str, Value]
# Stands for an object under its own name where a raw document is matched: it is there, and no text is like it. Never stored.
OBJECT = cast("Scalar", {})

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
        """As a dead letter where the fields cannot be written: one event must never stop the others."""
        id_, ts, org, dataset, fields = event
        try:
            doc = orjson.dumps(fields)
        except TypeError:
            return cls.of(unwritable(event))
        source, ip = fields.get("govsoc.source.id"), fields.get("source.ip")
        return cls(
            id_,
            ts,
            org,
            dataset,
            source if isinstance(source, str) else "",
            ip if isinstance(ip, str) else None,
            doc,
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


def unwritable(event: Event) -> Event:
    """The dead letter of an event with fields of which there is no JSON: numbers beyond 64 bits, half characters. Its reason names
    them, and never says what was in them; the others are kept."""
    fields: Fields = {name: value for name, value in event.fields.items() if _is_writable({name: value})}
    lost = ", ".join(ascii(name) for name in event.fields if name not in fields)
    known = fields.get("error.message")
    reason = f"the parser made what cannot be stored of {lost}"
    fields["event.kind"] = PIPELINE_ERROR
    fields["error.message"] = f"{reason}; {known}" if known else reason
    fields["event.id"] = id_ = f"{0:012x}{event.id[12:]}"
    return Event(id_, 0, event.org, event.dataset, fields)


def _is_writable(fields: Fields) -> bool:
    try:
        orjson.dumps(fields)
    except TypeError:
        return False
    return True


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


def flat(document: Mapping[str, object]) -> Fields:
    """Nested or flat JSON object to flat dotted keys; itself where it is flat.

    An object is `OBJECT` under its own name, beside its fields. Of objects in a list each is one JSON string in it, and the values of
    its fields are lists under dotted names. Lists in `MAX_LISTS` lists, and what would have a name of more than `MAX_NAME` characters,
    are JSON strings alone. Raises ValueError for lists that are nested deeper than JSON is written.
    """
    kinds = set(map(type, document.values()))
    if dict not in kinds and (list not in kinds or _plain_lists(document)):  # flat already, as most are
        return cast("Fields", document if type(document) is dict else dict(document))
    out: Fields = {}
    within: dict[str, list[Scalar]] = {}  # the values of objects in lists
    stack: list[tuple[str, Mapping[str, object]]] = [("", document)]
    while stack:
        at, node = stack.pop()
        for key, value in node.items():
            name = at + key
            kind = value.__class__
            if kind is dict:
                if len(name) < MAX_NAME:
                    out.setdefault(name, OBJECT)
                    stack.append((name + ".", cast("Mapping[str, object]", value)))
                else:  # every name below it would repeat it
                    out[name] = _text(value)
            elif kind is list:
                scalars = out[name] = _scalars(cast("list[object]", value))
                if scalars is not value:
                    _gather(within, name, cast("list[object]", value), 1)
            else:
                out[name] = cast("Scalar", value)
    for name, values in within.items():
        known = out.get(name, [])
        out[name] = [*(known if isinstance(known, list) else [known]), *values]
    return out


def is_object(value: object) -> bool:
    """Whether it is `OBJECT`, which the type of values does not know."""
    return value.__class__ is dict


def _plain_lists(document: Mapping[str, object]) -> bool:
    """Whether its lists hold scalars only."""
    return all(_SCALARS.issuperset(map(type, value)) for value in document.values() if value.__class__ is list)


def _gather(within: dict[str, list[Scalar]], name: str, values: list[object], lists: int) -> None:
    """Add the values under each path through objects in these. `lists`: how many are around."""
    if len(name) >= MAX_NAME or lists > MAX_LISTS:
        return
    for value in values:
        if value.__class__ is dict:
            for key, inner in cast("Mapping[str, object]", value).items():
                _add(within, f"{name}.{key}", inner, lists)
        elif value.__class__ is list:
            _gather(within, name, cast("list[object]", value), lists + 1)


def _add(within: dict[str, list[Scalar]], name: str, value: object, lists: int) -> None:
    known = within.setdefault(name, [])
    if value.__class__ is list:
        known += _scalars(cast("list[object]", value))
        _gather(within, name, cast("list[object]", value), lists + 1)
    elif value.__class__ is dict:
        known.append(OBJECT if len(name) < MAX_NAME else _text(value))
        _gather(within, name, [value], lists)
    else:
        known.append(cast("Scalar", value))


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
