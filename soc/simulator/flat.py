"""An entry as the event that its line becomes: the same sessions without the way through text, for months of traffic at once.

Native lines take the real way, through parser and mask, and are what a test of the product is made of. A benchmark of detectors over
many weeks reads only these fields, and a tenth of the time. A test holds the two together: what is here is what the parser finds in
the line. Personal data is invented, and is not masked here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

from soc.model.event import Event, Fields, Scalar
from soc.simulator import portal
from soc.simulator.line import MINUTE_MS, Entry

_OTP = {
    name: f"govsoc.otp.{name}"
    for name in "event status request_id message_id carrier channel brandname template error_code attempt latency_ms".split()
} | {"phone": "govsoc.otp.phone", "client_ip": "source.ip", "account": "user.id", "user_agent": "user_agent.original"}
_LGSP = {
    name: f"govsoc.lgsp.{name}"
    for name in (
        "api version service_code consumer consumer_org provider fault_code fault_string token_status subject auth "
        "duration_ms backend_ms records".split()
    )
} | {
    "correlation_id": "trace.id", "user": "user.id", "client_ip": "source.ip", "status": "http.response.status_code",
    "method": "http.request.method", "path": "url.path", "request_bytes": "http.request.bytes",
    "response_bytes": "http.response.body.bytes",
}  # fmt: skip
_ACCESS = {
    "address": "source.ip", "agent": "user_agent.original", "method": "http.request.method", "target": "url.original",
    "status": "http.response.status_code", "size": "http.response.body.bytes",
}  # fmt: skip
_PROCEDURES = dict(zip(portal.PROCEDURES, portal.CODES, strict=True))
_ERROR = {"address": "source.ip", "level": "log.level", "method": "http.request.method", "target": "url.original"}
_GOOD = frozenset({"accepted", "DELIVRD", "ok"})


def event_of(entry: Entry, org: str, number: int) -> Event:
    """`number` makes the id its own."""
    ts, stream, fields = entry.at + entry.clock, entry.stream, _READ[entry.stream](entry.fields)
    if stream.startswith("nginx"):  # its log knows whole seconds
        ts -= ts % 1000
    identity = f"{ts:012x}{number:020x}"
    fields["@timestamp"] = _iso(ts)
    fields["event.id"] = identity
    fields["event.dataset"] = stream
    fields["organization.id"] = org
    return Event(identity, ts, org, stream, fields)


@lru_cache(maxsize=256)
def _iso_minute(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:")


def _iso(ms: int) -> str:
    minute, rest = divmod(ms, MINUTE_MS)
    return f"{_iso_minute(minute)}{rest // 1000:02d}.{rest % 1000:03d}Z"


def _named(names: dict[str, str], fields: dict[str, object]) -> Fields:
    return {
        names[key]: cast("Scalar", value) for key, value in fields.items() if key in names and value not in (None, "")
    }


def _otp(f: dict[str, object]) -> Fields:
    fields = _named(_OTP, f)
    fields["event.action"] = f"otp-{f['event']}"
    fields["event.outcome"] = "success" if f["status"] in _GOOD else "failure"
    return fields


def _lgsp(f: dict[str, object]) -> Fields:
    fields = _named(_LGSP, f)
    fields["event.action"] = "lgsp-call"
    fields["event.outcome"] = "failure" if cast("int", f["status"]) >= 400 else "success"
    fields["event.duration"] = cast("int", f["duration_ms"]) * 1_000_000
    return fields


def _access(f: dict[str, object]) -> Fields:
    fields = _named(_ACCESS, f)
    fields["event.outcome"] = "failure" if cast("int", f["status"]) >= 400 else "success"
    fields["event.duration"] = round(float(f"{f['seconds']:.3f}") * 1e9)
    path, _, query = str(f["target"]).partition("?")
    if "%" not in path:
        fields["url.path"] = path
    if path in _PROCEDURES:
        fields["govsoc.procedure.code"] = _PROCEDURES[path]
    if query and "%" not in path + query:
        fields["url.query"] = query
    return fields


def _error(f: dict[str, object]) -> Fields:
    return _named(_ERROR, f)


def _auth(f: dict[str, object]) -> Fields:
    """What was done, as the session said it beside the text."""
    return {"host.name": str(f["host"]), **cast("Fields", f.get("facts", {}))}


_READ: dict[str, Callable[[dict[str, object]], Fields]] = {
    "nginx.access": _access,
    "nginx.error": _error,
    "otp.gateway": _otp,
    "lgsp.gateway": _lgsp,
    "linux.auth": _auth,
}
