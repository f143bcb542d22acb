"""Error logs of nginx and Apache.

https://nginx.org/en/docs/ngx_core_module.html#error_log, https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat
"""

from __future__ import annotations

import re

from collector.parse.base import Context, add_source, is_ip
from collector.parse.time import MONTHS, parse_wall
from collector.parse.web import split_url
from soc.errors import ParseError
from soc.model.event import Fields

_MONTH_NAME = {f"{number:02d}": name for name, number in MONTHS.items()}
# 2016/10/25 14:49:34 [error] 54053#0: *1 open() "/x" failed (2: No such file or directory), client: 127.0.0.1, ...
_NGINX = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d) \[(\w+)\] (?:(\d+)#(\d+): )?(?:\*(\d+) )?(.*)", re.S)
# client: 127.0.0.1, server: localhost, request: "GET /x HTTP/1.1", upstream: "...", host: "localhost:8080", referrer: "http://x/"
_NGINX_PAIR = re.compile(r', (client|server|request|upstream|host|referrer): (?:"([^"]*)"|([^,\s]*))')
# [Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187:1234] AH00001: message
_APACHE = re.compile(
    r"\[(?:\w{3} )?(\w{3}) +(\d{1,2}) (\d\d:\d\d:\d\d(?:\.\d{1,9})?) (\d{4})\] \[(?:([\w.-]*):)?(\w+)\] "
    r"(?:\[pid (\d+)(?::tid (\d+))?\] )?(.*)",
    re.S,
)
_APACHE_CLIENT = re.compile(r"\[client ([^\]\s]+?)(?::(\d{1,5}))?\] ")
_APACHE_CODE = re.compile(r"\b(AH\d{5}): ")
# File does not exist: /var/www/favicon.ico, referer: http://192.168.33.72/
_APACHE_FILE = re.compile(
    r"(?:File does not exist|script not found or unable to stat|script '?[^']*'? not found)[:,]? ([^,]+)"
)
_APACHE_REFERER = re.compile(r", referer: (\S+)\s*$")
_MILD = frozenset({"notice", "info", "debug"})


def _fields(ts: int, level: str, message: str) -> Fields:
    level = level.lower()
    kind = "info" if level in _MILD or level.startswith("trace") else "error"
    return {
        "@timestamp": ts,
        "event.kind": "event",
        "event.category": ["web"],
        "event.type": [kind],
        "log.level": level,
        "message": message,
    }


def parse_nginx_error(line: str, context: Context) -> Fields:
    found = _NGINX.match(line)
    if not found:
        raise ParseError("not of the form yyyy/mm/dd hh:mm:ss [level] pid#tid: message")
    year, month, day, clock, level, pid, tid, connection, message = found.groups()
    fields = _fields(parse_wall(year, _MONTH_NAME.get(month, ""), day, clock, context.zone), level, message)
    if pid:
        fields["process.pid"] = int(pid[:18])
        fields["process.thread.id"] = int(tid[:18])
    if connection:
        fields["govsoc.web.connection_id"] = int(connection[:18])
    for key, quoted, bare in _NGINX_PAIR.findall(message):
        _nginx_pair(fields, key, quoted or bare)
    return fields


def _nginx_pair(fields: Fields, key: str, value: str) -> None:
    if not value:
        return
    if key == "client":
        add_source(fields, value)
    elif key == "request":
        method, _, rest = value.partition(" ")
        target, blank, version = rest.rpartition(" ")
        if blank and version.startswith("HTTP/"):
            fields["http.request.method"] = method
            fields["http.version"] = version[5:]
            split_url(fields, target)
    elif key == "host":
        fields["url.domain"] = value.partition(":")[0]
    elif key == "referrer":
        fields["http.request.referrer"] = value
    elif key == "upstream":
        fields["govsoc.web.upstream"] = value


def parse_apache_error(line: str, context: Context) -> Fields:
    found = _APACHE.match(line)
    if not found:
        raise ParseError("not of the form [Www Mmm dd hh:mm:ss yyyy] [module:level] message")
    month, day, clock, year, module, level, pid, tid, message = found.groups()
    client = _APACHE_CLIENT.match(message)
    if client:
        message = message[client.end() :]
    fields = _fields(parse_wall(year, month, day, clock, context.zone), level, message)
    if client:
        address = client[1] if client[2] is None or is_ip(client[1]) else f"{client[1]}:{client[2]}"
        add_source(fields, address)
        if client[2] and is_ip(client[1]):
            fields["source.port"] = int(client[2])
    if module:
        fields["log.logger"] = module
    if pid:
        fields["process.pid"] = int(pid[:18])
    if tid:
        fields["process.thread.id"] = int(tid[:18])
    if code := _APACHE_CODE.search(message):
        fields["event.code"] = code[1]
    if path := _APACHE_FILE.search(message):
        fields["file.path"] = path[1].strip("' ")
    if referer := _APACHE_REFERER.search(message):
        fields["http.request.referrer"] = referer[1]
    return fields
