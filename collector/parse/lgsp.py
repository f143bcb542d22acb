"""LGSP gateway: one JSON object a line, our documented format (docs/fields.md); WSO2's names are understood as well."""

from __future__ import annotations

from collector.parse.base import Context, add_duration, add_source, load_object, relate
from collector.parse.json_fields import number, take_time, text
from collector.parse.procedure import FIELD, code_of
from collector.parse.web import split_url
from soc.errors import ParseError
from soc.model.event import Fields

# WSO2 api.log and correlation.log names -> ours
_ALIASES = {
    "correlationId": "correlation_id",
    "correlationID": "correlation_id",
    "apiName": "api",
    "apiVersion": "version",
    "verb": "method",
    "apiMethod": "method",
    "apiTo": "path",
    "apiResourcePath": "path",
    "statusCode": "status",
    "applicationName": "consumer",
    "sourceIP": "client_ip",
    "responseTime": "duration_ms",
    "beLatency": "backend_ms",
    "requestSize": "request_bytes",
    "responseSize": "response_bytes",
    "faultCode": "fault_code",
    "faultString": "fault_string",
    "timestamp": "time",
    **dict.fromkeys(("procedureCode", "procedure_code", "maTTHC", "MaTTHC", "maThuTuc", "ma_thu_tuc"), "procedure"),
}
# key -> field
_TEXTS = {
    key: f"govsoc.lgsp.{key}"
    for key in (
        "api version service_code consumer consumer_org provider fault_code fault_string token_status subject auth".split()
    )
}
_NUMBERS = {key: f"govsoc.lgsp.{key}" for key in ("duration_ms", "backend_ms", "records")}


def parse_lgsp(line: str, context: Context) -> Fields:
    document = load_object(line)
    for alias, name in () if _ALIASES.keys().isdisjoint(document) else _ALIASES.items():
        if alias in document:
            document.setdefault(name, document[alias])
    status = number(document, "status")
    fault = text(document, "fault_code")
    if status is None and fault is None and text(document, "api") is None and text(document, "path") is None:
        raise ParseError("none of the fields api, path, status, fault_code is there")
    fields: Fields = {
        "@timestamp": take_time(document, context),
        "event.kind": "event",
        "event.category": ["web"],
        "event.type": ["access"],
        "event.action": "lgsp-call",
        "event.outcome": "unknown"
        if status is None and not fault
        else "failure"
        if fault or int(status or 0) >= 400
        else "success",
    }
    for key, name in _TEXTS.items():
        if value := text(document, key):
            fields[name] = value
    for key, name in _NUMBERS.items():
        if (value_number := number(document, key)) is not None:
            fields[name] = value_number
    _http(fields, document, status)
    if code := code_of(document.get("procedure")):
        fields[FIELD] = code
    if correlation := text(document, "correlation_id"):
        fields["trace.id"] = correlation
    if (duration_ms := number(document, "duration_ms")) is not None:
        add_duration(fields, duration_ms * 1_000_000)
    if user := text(document, "user"):
        fields["user.id"] = user
        relate(fields, "related.user", user)
    if fault:
        fields["error.code"] = fault
        if reason := text(document, "fault_string"):
            fields["error.message"] = reason
    return fields


def _http(fields: Fields, document: dict[str, object], status: int | float | None) -> None:
    if method := text(document, "method"):
        fields["http.request.method"] = method.upper()
    if path := text(document, "path"):
        split_url(fields, path)
    if status is not None:
        fields["http.response.status_code"] = int(status)
    for key, name in (("request_bytes", "http.request.bytes"), ("response_bytes", "http.response.body.bytes")):
        if (size := number(document, key)) is not None:
            fields[name] = int(size)
    if address := text(document, "client_ip"):
        add_source(fields, address)
