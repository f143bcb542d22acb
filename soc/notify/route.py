"""Route: who is told of which alerts, how and how often. It is kept as a policy of kind `ROUTE`."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from soc.errors import ConfigError
from soc.model.alert import Alert
from soc.model.finding import LEVELS
from soc.model.org import Scope
from soc.model.policy import Policy

LANGUAGES = ("vi", "en")
MOST_ADDRESSES = 20
MOST_ORGS = 200
MOST_AN_HOUR = 1000
LONGEST_DIGEST_MINUTES = 24 * 60
LONGEST_URL = 2000

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_ORG = re.compile(r"[^\s*,;\x00-\x1f\x7f]{1,64}")
_BELOW = ".*"
_OF_POLICY = ("id", "version", "by")


class Channel(StrEnum):
    EMAIL = "email"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Route:
    """`orgs`: agency codes, `H42.*` for H42 and all below it; none: all. `level`: the lowest that is told.

    `per_hour`: messages at most; what is too many waits and goes together in the next one. `digest_minutes`: how long alerts are
    collected into one message; 0: each is told at once. `since`: alerts raised before (ms) are not told. `version`: the policy's.
    `by`: the account that laid this version down, and answers for it.
    """

    id: str
    name: str
    channel: Channel
    addresses: tuple[str, ...] = ()
    url: str = field(default="", repr=False)  # its path often holds a token
    orgs: tuple[str, ...] = ()
    level: str = "high"
    language: str = "vi"
    per_hour: int = 20
    digest_minutes: int = 0
    enabled: bool = True
    since: int = 0
    secret: str = field(default="", repr=False)  # signs what is sent to a webhook
    version: int = 0
    by: str = ""

    def wants(self, alert: Alert) -> bool:
        return (
            self.enabled
            and alert.raised_at >= self.since
            and rank(alert.level) >= rank(self.level)
            and (not self.orgs or any(covers(pattern, alert.org) for pattern in self.orgs))
        )

    def inside(self, scope: Scope) -> bool:
        """Whether it tells of nothing outside the scope. A pattern may cover what is founded tomorrow, so it is for all alone."""
        if scope.orgs is None:
            return True
        return bool(self.orgs) and all(scope.allows(org) for org in self.orgs)

    @property
    def target(self) -> str:
        """Where it goes, as may be shown and logged: a URL's path may hold a token."""
        return ", ".join(self.addresses) if self.channel is Channel.EMAIL else str(urlsplit(self.url).hostname)


def rank(level: str) -> int:
    """Higher is worse; a level that is not known counts as the lowest."""
    return LEVELS.index(level) if level in LEVELS else 0


def covers(pattern: str, org: str) -> bool:
    """`H42` is H42 alone, `H42.*` is H42 and all below it."""
    if not pattern.endswith(_BELOW):
        return pattern == org
    top = pattern.removesuffix(_BELOW)
    return org == top or org.startswith(f"{top}.")


def route_of(policy: Policy) -> Route:
    """Raises `ConfigError` when the policy holds no route that we can read."""
    body = policy.body or {}
    known = {f.name for f in fields(Route)} - set(_OF_POLICY)
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in body.items() if name in known
    }
    try:
        values["channel"] = Channel(values["channel"])
        return Route(id=policy.id, version=policy.version, by=policy.by, **values)
    except (TypeError, ValueError, KeyError):
        raise ConfigError(f"route {policy.id} cannot be read: it is of a newer govsoc, so upgrade this one") from None


def body_of(route: Route) -> dict[str, object]:
    """What is kept of it as the body of a policy."""
    body = asdict(route) | {"channel": str(route.channel), "addresses": list(route.addresses), "orgs": list(route.orgs)}
    return {name: value for name, value in body.items() if name not in _OF_POLICY}


def check(route: Route) -> None:
    """Raises `ConfigError` with the first thing that is wrong, and what to do."""
    if not 1 <= len(route.name) <= 100 or not route.name.isprintable():
        raise ConfigError("the name of a route has 1 to 100 characters, on one line")
    if route.level not in LEVELS:
        raise ConfigError(f"there is no level {route.level[:40]!r}: choose one of {', '.join(LEVELS)}")
    if route.language not in LANGUAGES:
        raise ConfigError(f"there is no language {route.language[:40]!r}: choose one of {', '.join(LANGUAGES)}")
    if not 1 <= route.per_hour <= MOST_AN_HOUR:
        raise ConfigError(f"1 to {MOST_AN_HOUR} messages an hour")
    if not 0 <= route.digest_minutes <= LONGEST_DIGEST_MINUTES:
        raise ConfigError(f"alerts are collected for 0 to {LONGEST_DIGEST_MINUTES} minutes")
    _check_orgs(route.orgs)
    if route.channel is Channel.EMAIL:
        _check_addresses(route)
    else:
        _check_url(route)


def _check_orgs(orgs: tuple[str, ...]) -> None:
    if len(orgs) > MOST_ORGS:
        raise ConfigError(f"{len(orgs)} organisations, {MOST_ORGS} at most: use a pattern such as H42.*")
    for org in orgs:
        if not _ORG.fullmatch(org.removesuffix(_BELOW)):
            raise ConfigError(f"{org[:80]!r} is no agency code: write for example H42, or H42.* for all below it too")


def _check_addresses(route: Route) -> None:
    if route.url:
        raise ConfigError("a route by mail has no URL: leave it out, or choose the channel webhook")
    if not 1 <= len(route.addresses) <= MOST_ADDRESSES:
        raise ConfigError(f"a route by mail needs 1 to {MOST_ADDRESSES} addresses")
    for address in route.addresses:
        if not _ADDRESS.fullmatch(address):
            raise ConfigError(f"{address[:80]!r} is no mail address: write for example soc@hungyen.gov.vn")


def _check_url(route: Route) -> None:
    if route.addresses:
        raise ConfigError("a webhook has no mail addresses: leave them out, or choose the channel email")
    if not 1 <= len(route.url) <= LONGEST_URL:
        raise ConfigError(f"a webhook needs a URL of at most {LONGEST_URL} characters")
    if not route.url.isascii() or not route.url.isprintable() or " " in route.url:
        raise ConfigError("the URL may hold printable ASCII only: write other names as xn--..., other signs as %..")
    try:
        parts = urlsplit(route.url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"the URL cannot be read: {error}") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise ConfigError("the URL must be like https://host/path")
    if "@" in parts.netloc:
        raise ConfigError("a URL with a user or password is not taken: the signature says who we are")
    if parts.fragment:
        raise ConfigError("the URL has a part after `#`, which is never sent: leave it out")
