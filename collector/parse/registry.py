"""Every log format there is: source type -> parser."""

from __future__ import annotations

from functools import partial

from collector.parse.base import Context, Parser
from collector.parse.lgsp import parse_lgsp
from collector.parse.linux_auth import PROGRAMS, parse_linux_auth, read_auth
from collector.parse.otp import parse_otp
from collector.parse.probe import parse_probe
from collector.parse.syslog import Envelope, open_envelope
from collector.parse.web import parse_access
from collector.parse.web_error import parse_apache_error, parse_nginx_error
from soc.errors import ParseError
from soc.model.event import Fields

__all__ = ["PARSERS", "Context", "Parser", "parse_any", "parser_of"]

_WEB_SERVERS = {
    "nginx": (("nginx.access", parse_access), ("nginx.error", parse_nginx_error)),
    **dict.fromkeys(
        ("apache", "apache2", "httpd"), (("apache.access", parse_access), ("apache.error", parse_apache_error))
    ),
}
_SYSLOG = ("syslog", "linux.auth")  # whose lines are syslog themselves
_GATEWAYS = {"otp-gateway": ("otp.gateway", parse_otp), "lgsp-gateway": ("lgsp.gateway", parse_lgsp)}


def parse_syslog(line: str, context: Context) -> Fields:
    """A syslog message; what it carries goes to the parser of the program that wrote it."""
    envelope = open_envelope(line, context)
    app = envelope.app.rpartition("/")[2]
    if app in PROGRAMS or envelope.message.startswith("pam_"):
        return read_auth(envelope) | {"event.dataset": "linux.auth"}
    for dataset, parser in _WEB_SERVERS.get(app, ()):
        if inner := _carried(envelope, parser, context):
            return inner | {"event.dataset": dataset}
    if app in _GATEWAYS and (inner := _carried(envelope, _GATEWAYS[app][1], context)):
        return inner | {"event.dataset": _GATEWAYS[app][0]}
    return envelope.fields


def parser_of(type_: str, *, by_syslog: bool) -> Parser | None:
    """The parser of a source type; what comes by syslog is taken out of its envelope first, where it has one."""
    parser = PARSERS.get(type_)
    return partial(_enveloped, parser) if parser and by_syslog and type_ not in _SYSLOG else parser


def _enveloped(parser: Parser, line: str, context: Context) -> Fields:
    try:
        envelope = open_envelope(line, context)
    except ParseError:  # sent as it is, without an envelope
        return parser(line, context)
    return envelope.fields | parser(envelope.message, context)


def _carried(envelope: Envelope, parser: Parser, context: Context) -> Fields | None:
    """The fields of the carried line over those of the envelope; None when it is not of that format after all."""
    try:
        inner = parser(envelope.message, context)
    except ParseError:
        return None
    return envelope.fields | inner


PARSERS: dict[str, Parser] = {
    "nginx.access": parse_access,
    "nginx.error": parse_nginx_error,
    "apache.access": parse_access,
    "apache.error": parse_apache_error,
    "linux.auth": parse_linux_auth,
    "syslog": parse_syslog,
    "otp.gateway": parse_otp,
    "lgsp.gateway": parse_lgsp,
    "probe.check": parse_probe,
}
# Tried in this order on a line of unknown type, most telling first: a line has to fit all of a format, so order rarely matters.
_GUESSES = ("otp.gateway", "probe.check", "lgsp.gateway", "nginx.access", "nginx.error", "apache.error", "syslog")


def parse_any(line: str, context: Context) -> Fields:
    """A line of unknown type: the first parser that can read it, with its type in `event.dataset`."""
    for name in _GUESSES:
        if name.endswith(("gateway", "check")) != (line[:1] == "{"):
            continue
        try:
            return {"event.dataset": name} | PARSERS[name](line, context)
        except ParseError:
            continue
    raise ParseError("the line is of no known format")
