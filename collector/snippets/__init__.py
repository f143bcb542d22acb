"""Ready-to-paste configuration of what sends to us. Values are checked where a source is enrolled; a place keeps what it may be."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from soc.errors import ConfigError
from soc.model.source import Source, Transport

NO_TOKEN = "TOKEN"  # noqa: S105 - what stands where the token belongs
NO_HOST = "GOVSOC"  # the same of our address
# By the way that its lines take: the first is what most want.
WAYS = {
    Transport.FILE: ("collector",),
    Transport.SYSLOG: ("rsyslog", "nginx"),
    Transport.PUSH: ("curl", "filebeat"),
    Transport.PROBE: ("probe",),
}
_FILES = {
    "nginx.access": "/var/log/nginx/access.log",
    "nginx.error": "/var/log/nginx/error.log",
    "apache.access": "/var/log/apache2/access.log",
    "apache.error": "/var/log/apache2/error.log",
    "linux.auth": "/var/log/auth.log",
    "syslog": "/var/log/syslog",
    "otp.gateway": "/var/log/otp-gateway/otp.ndjson",
    "lgsp.gateway": "/var/log/lgsp-gateway/lgsp.ndjson",
    "probe.check": "/var/log/probes.ndjson",
}
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|[0-9A-Fa-f:]{2,45}")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{1,300}")
_PATH = re.compile(r"/[A-Za-z0-9._/*?\[\]-]{1,500}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the collector is reached from the sender's machine: the host, and the ports of syslog and HTTP push."""

    host: str = NO_HOST
    syslog_port: int = 5514
    http_port: int = 8081


def ways(source: Source) -> tuple[str, ...]:
    """What configuration there is for a source."""
    found = WAYS[source.transport]
    return tuple(way for way in found if way != "nginx" or source.type in ("nginx.access", "nginx.error", "syslog"))


def snippet(source: Source, way: str, place: Place, *, token: str = NO_TOKEN, path: str | None = None) -> str:
    """The configuration for one way. Raises `ConfigError` where the source is not sent that way, and for values it cannot hold."""
    if way not in ways(source):
        raise ConfigError(
            f"{source.id} comes by {source.transport}: there is configuration for {', '.join(ways(source))}, not for {way}"
        )
    path = path or (
        source.where[0] if source.transport is Transport.FILE else _FILES.get(source.type, "/var/log/app.log")
    )
    for what, value, allowed in (("host", place.host, HOST), ("token", token, _TOKEN), ("path", path, _PATH)):
        if not allowed.fullmatch(value):
            raise ConfigError(f"this {what} cannot stand in a configuration file: {value[:100]!r}")
    return _TEMPLATES.get_template(f"{way}.j2").render(source=source, place=place, token=token, path=path)


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=False,  # noqa: S701 - text for configuration files; every value is checked above
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
    auto_reload=False,
)
_TEMPLATES.filters["quoted"] = shlex.quote
