"""Probes: one JSON object a line, as `collector/probe` writes it; others may push it (docs/fields.md)."""

from __future__ import annotations

from collector.parse.base import Context, add_duration, is_ip, load_object, relate
from collector.parse.json_fields import number, take_time, text
from collector.parse.web import split_url
from soc.errors import ParseError
from soc.model.event import Fields

_KINDS = ("http", "https", "tcp", "tls", "dns")
_TEXTS = {"target": "govsoc.probe.target", "reason": "error.message"}
_NUMBERS = {
    "failures": "govsoc.probe.failures",
    "days_left": "govsoc.probe.days_left",
    "port": "destination.port",
    "status": "http.response.status_code",
}
_MOST_ANSWERS = 32


def parse_probe(line: str, context: Context) -> Fields:
    document = load_object(line)
    kind, up = text(document, "kind"), document.get("up")
    if kind not in _KINDS:
        raise ParseError("the field kind is none of http, https, tcp, tls, dns")
    if not isinstance(up, bool):
        raise ParseError("the field up is neither true nor false")
    if not text(document, "target"):
        raise ParseError("the field target is missing")
    fields: Fields = {
        "@timestamp": take_time(document, context),
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": ["info"],
        "event.action": f"probe-{kind}",
        "event.outcome": "success" if up else "failure",
        "govsoc.probe.kind": kind,
    }
    for key, name in _TEXTS.items():
        if value := text(document, key):
            fields[name] = value
    for key, name in _NUMBERS.items():
        if (value_number := number(document, key)) is not None:
            fields[name] = int(value_number)
    if (host := text(document, "host")) and not is_ip(host):
        fields["destination.domain"] = host
    if (duration_ms := number(document, "duration_ms")) is not None:
        add_duration(fields, duration_ms * 1_000_000)
    if kind in ("http", "https"):
        split_url(fields, str(fields["govsoc.probe.target"]))
    if (address := text(document, "address")) and is_ip(address):
        fields["destination.ip"] = address
        relate(fields, "related.ip", address)
    _answers(fields, document)
    return fields


def _answers(fields: Fields, document: dict[str, object]) -> None:
    for key in ("answers", "before"):
        found = document.get(key)
        if isinstance(found, list) and (
            addresses := [one for one in found[:_MOST_ANSWERS] if isinstance(one, str) and is_ip(one)]
        ):
            fields[f"govsoc.probe.{key}"] = list(addresses)
    if isinstance(changed := document.get("changed"), bool):
        fields["govsoc.probe.changed"] = changed
