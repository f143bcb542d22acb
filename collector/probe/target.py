"""What is probed, as it is enrolled: a URL with options behind `#`, which no server ever sees.

https://portal.example.vn/tra-cuu#text=Tra cứu hồ sơ&every=120
http://10.1.2.3:8080/health#status=204
tcp://10.1.2.3:5432
tls://portal.example.vn:443
dns://portal.example.vn#answer=203.0.113.5,203.0.113.6
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit

from soc.errors import ConfigError

KINDS = ("http", "https", "tcp", "tls", "dns")
MAX_TARGETS = 100
MAX_LENGTH = 1000
MAX_TEXT = 200
_PORTS = {"http": 80, "https": 443, "tls": 443}
_EVERY_S = {"http": 60, "https": 60, "tcp": 60, "tls": 3600, "dns": 300}
_OPTIONS = {"http": {"every", "timeout", "status", "text"}, "dns": {"every", "answer"}}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})|[0-9A-Fa-f:.]{2,45}")


@dataclass(frozen=True, slots=True)
class Target:
    """`name` is what is shown of it: without options, and of the query only a mark that tells it from others.
    `phase_s`: when in its turn it is probed, so that not all are at once.

    `status`: the lowest and highest that is well. `text`: what has to be in the first 64 KiB of the answer. `answers`: the addresses that
    a name is to have; empty: those that it had.
    """

    key: str
    name: str
    kind: str
    host: str
    port: int
    path: str
    every_s: int
    timeout_s: int
    phase_s: int
    status: tuple[int, int] = (200, 399)
    text: str = ""
    answers: frozenset[str] = frozenset()

    @property
    def encrypted(self) -> bool:
        return self.kind in ("https", "tls")

    def turn(self, now_ms: int) -> int:
        """The number of the turn that this time lies in: each turn has one probe, also when nobody was there at its begin."""
        return (now_ms // 1000 - self.phase_s) // self.every_s


def parse_target(text: str) -> Target:
    """Raises `ConfigError` with what is wrong and what to write."""
    try:
        url = urlsplit(text)
        host, port = (url.hostname or "").lower(), url.port
    except ValueError:
        raise ConfigError(f"{text[:200]}: not a URL: write for example https://portal.example.vn/") from None
    kind = url.scheme.lower()
    if kind not in KINDS or len(text) > MAX_LENGTH:
        raise ConfigError(f"{text[:200]}: write {', '.join(f'{one}://' for one in KINDS)} and a host")
    if not _HOST.fullmatch(host) or "@" in url.netloc:
        raise ConfigError(
            f"{text[:200]}: the host is missing, or has a user or a password, which would stand in the log"
        )
    port = port or _PORTS.get(kind, 0)
    if kind == "tcp" and not port:
        raise ConfigError(f"{text[:200]}: tcp:// needs a port, such as tcp://10.1.2.3:5432")
    options = _Options(text, kind, url)
    every_s = options.number("every", _EVERY_S[kind], 10, 86_400)
    low, high = options.status()
    shown = f"[{host}]" if ":" in host else host
    path = quote(url.path or "/", safe="/%:@!$&'()*+,;=~-._") if kind in ("http", "https") else ""
    plain = port in (0, _PORTS.get(kind))
    key = _digest(text, 8)
    mark = f"?~{_digest(url.query, 3)}" if url.query and path else ""
    return Target(
        key=key,
        name=f"{kind}://{shown}{'' if plain else f':{port}'}{path}{mark}",
        kind=kind,
        host=host,
        port=port,
        path=(path or "/") + (f"?{quote(url.query, safe='=&%/:@+,;~-._')}" if url.query else ""),
        every_s=every_s,
        timeout_s=options.number("timeout", 10, 1, 30),
        phase_s=int(key, 16) % every_s,
        status=(low, high),
        text=options.looked_for(),
        answers=options.answers(),
    )


def is_name(host: str) -> bool:
    """Whether it is one, and no address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=size).hexdigest()


class _Options:
    """What stands behind `#`: `name=value` joined by `&`, each once. A plus sign is one: this is no form."""

    def __init__(self, text: str, kind: str, url: SplitResult) -> None:
        self._text = text[:200]
        self._given: dict[str, str] = {}
        known = _OPTIONS.get("http" if kind == "https" else kind, {"every", "timeout"})
        for part in url.fragment.split("&") if url.fragment else []:
            name, _, value = part.partition("=")
            if name not in known:
                raise ConfigError(
                    f"{self._text}: the option {name[:50]} is not known here; known are {', '.join(sorted(known))}"
                )
            if name in self._given:
                raise ConfigError(f"{self._text}: the option {name} is there twice")
            self._given[name] = unquote(value)

    def one(self, name: str) -> str:
        return self._given.get(name, "")

    def looked_for(self) -> str:
        text = self.one("text")
        if len(text) > MAX_TEXT:
            raise ConfigError(f"{self._text}: text has {len(text)} letters, and may have {MAX_TEXT}")
        return text

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.one(name) or str(default)
        if not value.isascii() or not value.isdigit() or not low <= int(value[:9]) <= high:
            raise ConfigError(f"{self._text}: {name} has to be a whole number of seconds from {low} to {high}")
        return int(value)

    def status(self) -> tuple[int, int]:
        found = re.fullmatch(r"([1-5]\d\d)(?:-([1-5]\d\d))?", self.one("status") or "200-399")
        if found is None:
            raise ConfigError(f"{self._text}: status has to be one such as 200, or two such as 200-399")
        return int(found[1]), int(found[2] or found[1])

    def answers(self) -> frozenset[str]:
        try:
            return frozenset(
                str(ipaddress.ip_address(one.strip())) for one in self.one("answer").split(",") if one.strip()
            )
        except ValueError:
            raise ConfigError(f"{self._text}: answer has to be addresses, separated by commas") from None
