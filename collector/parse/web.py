"""Access logs of nginx and Apache: combined and common, with virtual host, remote address lists, forwarded-for tails,
ssl_request, the ingress controller's and Nginx Proxy Manager's variants.

https://nginx.org/en/docs/http/ngx_http_log_module.html, https://httpd.apache.org/docs/2.4/mod/mod_log_config.html
"""

from __future__ import annotations

import contextlib
import re
from urllib.parse import unquote

from collector.parse.base import Context, add_duration, add_source, is_ip, is_public, relate
from collector.parse.procedure import FIELD, LIKELY, code_in
from collector.parse.time import parse_clf
from soc.errors import ParseError
from soc.model.event import Fields

# "GET /a?b HTTP/1.1", with \" inside where Apache escaped a quote. What is never closed ends with the line: a pattern that
# fails there would be tried again from each quote, in time quadratic in the line.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)', re.DOTALL)
# 89 0.001 [default-web-8080] [] 172.17.0.5:8080, 172.17.0.6:8080 59, 60 0.000, 0.001 200, 200 529a007902362a5f
_INGRESS = re.compile(
    r"\s(?P<length>\d+) (?P<time>[\d.]+) \[(?P<name>[^\]]*)\] \[[^\]]*\] (?P<upstream>\S+(?:, \S+)*)"
    r" [\d-]+(?:, [\d-]+)* (?P<upstream_time>[\d.-]+)(?:, [\d.-]+)* (?P<upstream_status>[\d-]+)(?:, [\d-]+)* (?P<id>\w+)\s*$"
)
# [24/Jan/2022:16:51:02 +0000] - 404 404 - GET http openresty.local "/x" [Client 1.2.3.4] [Length 192] [Gzip 3.10] [Sent-to y] "UA" "ref"
_PROXY_MANAGER = re.compile(
    r'\[([^\]]{20,40})\] (?:\S+ )?(?:[\d-]+ )?(\d{3}) - (\S+) (https?) (\S+) "([^"]*)" \[Client ([^\]]*)\] \[Length ([\d-]+)\]'
    r'(?: \[[^\]]*\])* "([^"]*)" "([^"]*)"'
)
# X-Forwarded-For="10.0.0.2,10.0.0.1"
_FORWARDED = re.compile(r"[0-9A-Fa-f:., ]{7,500}")
_METHOD = re.compile(r"[A-Za-z_-]{1,20}")
_PORT = re.compile(r"(.+):(\d{1,5})")
# ... "-" rt=0.012 uct="0.000" urt="0.010", as many write their log_format
_REQUEST_TIME = re.compile(r"\b(?:rt|request_time)[=:]\s?\"?(\d{1,6}\.\d{1,6})")
_METHODS = frozenset("GET POST HEAD PUT DELETE OPTIONS PATCH".split())
_OUTCOME = {str(code): (code, "success" if code < 400 else "failure") for code in range(1000)}

_WEB, _ACCESS = "web", "access"


def parse_access(line: str, _context: Context) -> Fields:
    """One line of an access log, of either server."""
    parts = line.split('"') if '\\"' not in line else _QUOTED.split(line)
    if len(parts) < 3:
        raise ParseError("no quoted request in the line")
    if "[" not in parts[0] and "[" in parts[2]:  # the address list is quoted
        parts[0:3] = [f'{parts[0]}"{parts[1]}" {parts[2]}']
    if "] " not in parts[0] or len(parts) < 3:
        raise ParseError("no time in brackets before the request")
    head = parts[0]
    if head[0] == "[" and not head.endswith("] "):
        return _proxy_manager(line) if " - " in head else _ssl_request(parts)
    at = head.rindex("[")
    fields: Fields = {
        "@timestamp": parse_clf(head[at + 1 : head.index("]", at)]),
        "event.kind": "event",
        "event.category": [_WEB],
        "event.type": [_ACCESS],
    }
    _client(fields, head[:at].strip())
    _request(fields, parts[1])
    _status(fields, parts[2])
    if len(parts) > 3:
        if parts[3] not in ("-", ""):
            fields["http.request.referrer"] = parts[3]
        if len(parts) > 5 and parts[5] not in ("-", ""):
            fields["user_agent.original"] = parts[5]
        if len(parts) > 6 and len(tail := '"'.join(parts[6:])) > 2:
            _tail(fields, tail)
    return fields


def _client(fields: Fields, text: str) -> None:
    """`[vhost] address[, address ...] ident user`, in the words before the time."""
    words = text.split(" ")
    if len(words) == 3 and "," not in text:  # nearly always
        address, user = words[0], words[2]
        add_source(fields, address)
    else:
        hosts, dash, user = text.partition(" - ")
        if not dash:
            hosts, *rest = text.rsplit(" ", 2) if len(words) > 2 else [words[0]]
            user = rest[-1] if rest else "-"
        _addresses(fields, hosts)
    if user not in ("-", "", '""'):
        fields["user.name"] = user
        fields["related.user"] = [user]


def _addresses(fields: Fields, text: str) -> None:
    words = [word for word in text.replace('"', ' "').split(" ") if word not in ("", '"', "-")]
    if len(words) > 1 and not words[0].endswith(",") and not words[0].startswith('"'):
        _host(fields, words.pop(0))
    addresses = [word.strip('",') for word in words if word.strip('",')]
    if not addresses:
        raise ParseError("no client address in the line")
    # The first public address is the client as its nearest proxy saw it; addresses within our networks may be proxies.
    add_source(fields, next((a for a in addresses if is_public(a)), addresses[0]))
    if len(addresses) > 1:
        fields["govsoc.web.forwarded_for"] = [*addresses]


def _host(fields: Fields, host: str) -> None:
    """The virtual host that answered: `example.com` or `example.com:443`."""
    port = _PORT.fullmatch(host)
    if port and not is_ip(host):
        host = port[1]
        fields["destination.port"] = int(port[2])
    if is_ip(host.strip("[]")):
        fields["destination.ip"] = host.strip("[]")
        relate(fields, "related.ip", host.strip("[]"))
    else:
        fields["destination.domain"] = fields["url.domain"] = host


def _request(fields: Fields, request: str) -> None:
    words = request.split(" ")
    if len(words) > 3 and words[-1].startswith("HTTP/"):  # blanks within the target
        words = [words[0], " ".join(words[1:-1]), words[-1]]
    if len(words) == 3 and words[2][:5] == "HTTP/" and (words[0] in _METHODS or _METHOD.fullmatch(words[0])):
        fields["http.request.method"] = words[0]
        fields["http.version"] = words[2][5:]
        split_url(fields, words[1])
    elif len(words) == 2 and words[1][:1] == "/" and _METHOD.fullmatch(words[0]):  # HTTP/0.9
        fields["http.request.method"] = words[0]
        split_url(fields, words[1])
    elif request not in ("-", ""):
        fields["url.original"] = request  # not HTTP: kept as it came, rules search it there


def split_url(fields: Fields, target: str) -> None:
    """`url.*` of a request target, and the procedure that it is about; path and query are percent-decoded, `url.original` is as sent."""
    fields["url.original"] = target
    if "." in target and LIKELY(target) and (code := code_in(target)):
        fields[FIELD] = code
    path, mark, query = target.partition("?")
    if path[:1] != "/" and "://" in path:  # absolute form, sent to proxies
        scheme, _, rest = path.partition("://")
        host, slash, path = rest.partition("/")
        path = slash + path
        fields["url.scheme"] = scheme
        if host:
            fields["url.domain"] = host.rpartition("@")[2].partition(":")[0]
    if "%" in target:
        path, query = unquote(path, errors="backslashreplace"), unquote(query, errors="backslashreplace")
    fields["url.path"] = path
    if mark:
        fields["url.query"] = query
    name, dot, extension = path.rpartition(".")
    if dot and extension and "/" not in extension and len(extension) < 32 and name:
        fields["url.extension"] = extension


def _status(fields: Fields, text: str) -> None:
    words = text.split()
    known = _OUTCOME.get(words[0]) if words else None
    if known is None:
        raise ParseError("no status code after the request")
    fields["http.response.status_code"], fields["event.outcome"] = known
    if len(words) > 1:
        _size(fields, words[1])


def _size(fields: Fields, text: str) -> None:
    if text.isascii() and text.isdigit() and len(text) < 19:
        fields["http.response.body.bytes"] = int(text)


def _tail(fields: Fields, tail: str) -> None:
    """What follows the user agent: forwarded addresses, or what the ingress controller adds."""
    if ingress := _INGRESS.match(tail):
        fields["http.request.bytes"] = int(ingress["length"][:18])
        fields["http.request.id"] = ingress["id"]
        fields["govsoc.web.upstream"] = ingress["upstream"]
        fields["govsoc.web.upstream_name"] = ingress["name"]
        fields["event.type"] = ["info"]
        _duration(fields, ingress["time"])
        answered = ingress["upstream"].rpartition(" ")[2].rpartition(":")[0]  # the last one tried
        if is_ip(answered):
            relate(fields, "related.ip", answered)
        return
    if timed := _REQUEST_TIME.search(tail):
        _duration(fields, timed[1])
    found = _FORWARDED.search(tail)
    addresses = [a for a in found[0].replace(",", " ").split() if is_ip(a)] if found else []
    if addresses:
        fields["client.ip"] = fields["network.forwarded_ip"] = addresses[0]
        fields["govsoc.web.forwarded_for"] = [*addresses]


def _duration(fields: Fields, seconds: str) -> None:
    with contextlib.suppress(ValueError):
        add_duration(fields, float(seconds) * 1e9)


def _ssl_request(parts: list[str]) -> Fields:
    # [10/Aug/2018:09:45:56 +0200] 172.30.0.119 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 "GET /x HTTP/1.1" 1375
    time, _, rest = parts[0][1:].partition("] ")
    words = rest.split()
    if len(words) != 3:
        raise ParseError("between time and request, address, TLS version and cipher are expected")
    fields: Fields = {
        "@timestamp": parse_clf(time),
        "event.kind": "event",
        "event.category": [_WEB],
        "event.type": [_ACCESS],
        "tls.cipher": words[2],
    }
    protocol, mark, version = words[1].partition("v")
    if mark:
        fields["tls.version_protocol"] = protocol.lower()
        fields["tls.version"] = version
    add_source(fields, words[0])
    _request(fields, parts[1])
    _size(fields, parts[2].strip())
    return fields


def _proxy_manager(line: str) -> Fields:
    found = _PROXY_MANAGER.match(line)
    if not found:
        raise ParseError("the line begins with a time but is of no known access log format")
    time, status, method, scheme, host, target, client, size, agent, referrer = found.groups()
    fields: Fields = {
        "@timestamp": parse_clf(time),
        "event.kind": "event",
        "event.category": [_WEB],
        "event.type": [_ACCESS],
    }
    add_source(fields, client)
    split_url(fields, target)
    _host(fields, host)
    _status(fields, f"{status} {size}")
    fields["http.request.method"] = method
    fields["url.scheme"] = scheme
    if agent != "-":
        fields["user_agent.original"] = agent
    if referrer != "-":
        fields["http.request.referrer"] = referrer
    relate(fields, "related.hosts", host)
    return fields
