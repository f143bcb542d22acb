"""OTP gateway: one JSON object a line. The input format is ours and documented in docs/fields.md."""

from __future__ import annotations

from collector.parse.base import Context, add_duration, add_source, load_object, relate
from collector.parse.json_fields import number, take_time, text
from soc.errors import ParseError
from soc.model.event import Fields

_SUCCESS = {"request": ("accepted",), "submit": ("accepted",), "dlr": ("DELIVRD",), "verify": ("ok",)}
_PENDING = frozenset({"ENROUTE", "ACCEPTD", "UNKNOWN", "SCHEDULED"})  # SMPP 3.4 receipts that are not final
_CATEGORY = {"verify": ["authentication"]}
# key -> field
_TEXTS = {
    key: f"govsoc.otp.{key}"
    for key in ("request_id", "message_id", "carrier", "channel", "brandname", "template", "error_code")
}
_NUMBERS = {key: f"govsoc.otp.{key}" for key in ("attempt", "latency_ms")}


def parse_otp(line: str, context: Context) -> Fields:
    document = load_object(line)
    event = (text(document, "event") or "").lower()
    if event not in _SUCCESS:
        raise ParseError("the field event is none of request, submit, dlr, verify")
    raw = text(document, "status") or ""
    status = raw.upper() if event == "dlr" else raw.lower()
    fields: Fields = {
        "@timestamp": take_time(document, context),
        "event.kind": "event",
        "event.category": list(_CATEGORY.get(event, ["web"])),
        "event.type": ["info"],
        "event.action": f"otp-{event}",
        "event.outcome": _outcome(event, status),
        "govsoc.otp.event": event,
        "govsoc.otp.status": status,
    }
    if raw != status:
        fields["govsoc.otp.status_raw"] = raw
    for key, name in _TEXTS.items():
        if (value := text(document, key)) is not None:
            fields[name] = value.lower() if key in ("carrier", "channel") else value
    for key, name in _NUMBERS.items():
        if (value_number := number(document, key)) is not None:
            fields[name] = value_number
    _people(fields, document)
    if (latency_ms := number(document, "latency_ms")) is not None:
        add_duration(fields, latency_ms * 1_000_000)
    if error := text(document, "error_code"):
        fields["error.code"] = error
    if message := text(document, "message"):
        fields["message"] = message
    return fields


def _outcome(event: str, status: str) -> str:
    if status in _SUCCESS[event]:
        return "success"
    return "unknown" if not status or (event == "dlr" and status in _PENDING) else "failure"


def _people(fields: Fields, document: dict[str, object]) -> None:
    if phone := text(document, "phone"):
        fields["govsoc.otp.phone"] = phone
    if address := text(document, "client_ip"):
        add_source(fields, address)
    if account := text(document, "account"):
        fields["user.id"] = account
        relate(fields, "related.user", account)
    if agent := text(document, "user_agent"):
        fields["user_agent.original"] = agent
