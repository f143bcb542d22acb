"""The syslog envelope: RFC 3164 as it is really written (PRI, year and host optional, ISO times) and RFC 5424."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from collector.parse.base import Context, relate
from collector.parse.time import parse_iso, parse_wall, parse_yearless
from soc.errors import ParseError
from soc.model.event import Fields

FACILITIES = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock "
    "local0 local1 local2 local3 local4 local5 local6 local7"
).split()
SEVERITIES = "emergency alert critical error warning notice informational debug".split()

_PRI = re.compile(r"<(\d{1,3})>")
# 2019-06-14T10:40:20.912134+01:30 host sudo: ...
_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:[Zz]|[+-]\d\d:?\d\d)?(?= |$)")
# Feb  9 21:19:40 host sshd[8317]: ..., Feb 9 2026 21:19:40.123 host ...
_BSD = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (?:(\d{4}) )?(\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:[:]?(?= )|$)")
# sshd[8317]: message; Google Chrome[85294]: message; sudo: message
_TAG = re.compile(r"([^\[\]:]{1,80})\[(\d{1,18})(?:[^\]]{0,40})\]:? ?|([^\s\[\]:]{1,80}): ?")
# RFC 5424: 1 TIME HOST APP PROCID MSGID SD MSG
_RFC5424 = re.compile(r"1 (\S{1,64}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) ")
_SD_ELEMENT = re.compile(r'\[([^\s\]="]{1,200})((?: [^\s\]="]{1,200}="(?:[^"\\\]]|\\.)*")*)\]')
_SD_PARAM = re.compile(r' ([^\s\]="]{1,200})="((?:[^"\\\]]|\\.)*)"')
_SD_ESCAPE = re.compile(r'\\(["\\\]])')


@dataclass(frozen=True, slots=True)
class Envelope:
    """`fields` holds what the envelope says; `message` is what it carries."""

    app: str
    message: str
    fields: Fields


def open_envelope(line: str, context: Context) -> Envelope:
    """Raises `ParseError` when the line has no time: then it is not syslog."""
    fields: Fields = {}
    pri = _PRI.match(line)
    rest = line[pri.end() :] if pri else line
    if pri:
        _priority(fields, int(pri[1]))
        if versioned := _RFC5424.match(rest):
            return _rfc5424(fields, versioned, rest[versioned.end() :], context)
    rest = rest.lstrip()
    fields, rest = _time(fields, rest, context)
    host, rest = _host(rest)
    if host:
        _add_host(fields, host)
    tag = _TAG.match(rest)
    if not tag:
        return Envelope("", rest, _carry(fields, rest))
    app = (tag[1] or tag[3]).strip()
    message = rest[tag.end() :]
    _add_process(fields, app, tag[2] or "")
    return Envelope(app, message, _carry(fields, message))


def parse_syslog(line: str, context: Context) -> Fields:
    """The envelope alone; `collector.parse.registry` hands what it carries to the fitting parser."""
    return open_envelope(line, context).fields


def _carry(fields: Fields, message: str) -> Fields:
    return fields | {"event.kind": "event", "message": message}


def _time(fields: Fields, rest: str, context: Context) -> tuple[Fields, str]:
    if iso := _ISO.match(rest):
        ts = parse_iso(iso[0], context.zone)
        return {"@timestamp": ts} | fields, rest[iso.end() + 1 :]
    bsd = _BSD.match(rest)
    if not bsd:
        raise ParseError("no syslog time at the start of the line")
    month, day, year, clock = bsd.groups()
    known = parse_wall(year, month, day, clock, context.zone) if year else None
    ts = parse_yearless(month, day, clock, context.zone, context.now_ms) if known is None else known
    return {"@timestamp": ts} | fields, rest[bsd.end() + 1 :]


def _host(rest: str) -> tuple[str, str]:
    """The host where there is one: two blanks after the time, a tag or `--- last message repeated` mean there is none."""
    if rest[:1] == " " or rest.startswith("--- "):
        return "", rest.lstrip() if rest[:1] == " " else rest
    host, blank, after = rest.partition(" ")
    if not blank or host[-1:] == ":" or host[-1:] == "]":
        return "", rest
    return host, after.lstrip(" ") if after[:1] == " " else after


def _priority(fields: Fields, priority: int) -> None:
    if priority > 191:
        raise ParseError("the syslog priority is above 191")
    facility, severity = divmod(priority, 8)
    fields["log.syslog.priority"] = priority
    fields["log.syslog.facility.code"] = facility
    fields["log.syslog.facility.name"] = FACILITIES[facility]
    fields["log.syslog.severity.code"] = severity
    fields["log.syslog.severity.name"] = SEVERITIES[severity]
    fields["log.level"] = SEVERITIES[severity]


def _add_host(fields: Fields, host: str) -> None:
    fields["host.name"] = fields["host.hostname"] = host
    relate(fields, "related.hosts", host)


def _add_process(fields: Fields, app: str, pid: str) -> None:
    fields["process.name"] = app
    if pid.isascii() and pid.isdigit():
        fields["process.pid"] = int(pid[:18])


def _rfc5424(fields: Fields, found: re.Match[str], rest: str, context: Context) -> Envelope:
    time, host, app, process, message_id = found.groups()
    # "-" is RFC 5424's nil; a message without a time is as old as its arrival
    fields["@timestamp"] = context.now_ms if time == "-" else parse_iso(time, context.zone)
    if host != "-":
        _add_host(fields, host)
        fields["log.syslog.hostname"] = host
    app = "" if app == "-" else app
    if app:
        fields["log.syslog.appname"] = app
        _add_process(fields, app, process)
    if process != "-":
        fields["log.syslog.procid"] = process
    if message_id != "-":
        fields["log.syslog.msgid"] = message_id
    fields["log.syslog.version"] = "1"
    message = _structured_data(fields, rest).lstrip(" ").removeprefix("\ufeff")
    return Envelope(app, message, _carry(fields, message))


def _structured_data(fields: Fields, rest: str) -> str:
    """Takes the structured data off `rest`; it is kept as one JSON string, as its names may hold dots."""
    if rest[:1] == "-":
        return rest[1:]
    elements: dict[str, dict[str, str]] = {}
    at = 0
    while element := _SD_ELEMENT.match(rest, at):
        params = {name: _SD_ESCAPE.sub(r"\1", value) for name, value in _SD_PARAM.findall(element[2])}
        elements.setdefault(element[1], {}).update(params)
        at = element.end()
    if elements:
        fields["log.syslog.structured_data"] = orjson.dumps(elements).decode()
    return rest[at:]
