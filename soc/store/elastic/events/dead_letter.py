"""What is kept of an event that the server refuses: its line, masked as it is, and the server's reason."""

from __future__ import annotations

from typing import Any

from soc.model.event import PIPELINE_ERROR, Fields, Stored, iso

_REASON_CHARS = 250  # of each part: a reason may hold a long preview of the value, and its cause is what counts
# A line in a dead letter that was refused as well: less than Lucene's longest term, 32,766 bytes.
_CUT_BYTES = 32_000
_KEEPS = ("@timestamp", "event.id", "event.dataset", "event.original", "organization.id", "govsoc.source.id")


def reason(error: dict[str, Any]) -> str:
    """What the server says of a document that it refuses, in one line."""
    cause = error.get("caused_by") or {}
    parts = (error.get("type"), error.get("reason"), cause.get("reason"))
    return ": ".join(" ".join(str(part).split())[:_REASON_CHARS] for part in parts if part)


def dead_letter(event: Stored, error: dict[str, Any], now: int, *, again: bool) -> Fields:
    """The event without what the server may have refused. `again`: its dead letter was refused as well, so only the beginning of
    its line is kept. `now`: ms since 1970."""
    whole = event.event.fields
    fields: Fields = {name: whole[name] for name in _KEEPS if name in whole}
    fields["event.kind"] = PIPELINE_ERROR
    fields["event.created"] = iso(now)
    note = ""
    line = str(fields.get("event.original") or "").encode()
    if again and len(line) > _CUT_BYTES:
        fields["event.original"] = line[:_CUT_BYTES].decode(errors="ignore")
        note = f" (of its {len(line)} bytes the first {_CUT_BYTES} are kept: the whole was refused as well)"
    fields["error.message"] = f"the store refused this event{note}: {reason(error)}"
    return fields
