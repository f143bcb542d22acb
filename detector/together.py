"""Many series of one system that leave what is expected at once are one event to people: one alert stands for them."""

from __future__ import annotations

from typing import Any

_MANY = 4  # series
_AT_ONCE_MS = 600_000
_GOES_ON_MS = 3_600_000


class Together:
    """Times are ms of event time."""

    def __init__(self) -> None:
        self._called: dict[tuple[str, str], dict[str, int]] = {}
        self._since: dict[tuple[str, str], list[int]] = {}  # begin, last call

    def note(self, org: str, system: str, series: str, ts: int) -> None:
        """This series is worth a call at this time."""
        place = (org, system)
        called = self._called.setdefault(place, {})
        called[series] = max(ts, called.get(series, 0))
        newest = max(called.values())
        self._called[place] = {one: at for one, at in called.items() if at > newest - _AT_ONCE_MS}
        # A late event may judge a bucket of an hour ago again: what was called since is not at once with it.
        recent = [at for at in called.values() if abs(at - ts) < _AT_ONCE_MS]
        known = self._since.get(place)
        if known is not None and ts - known[1] <= _GOES_ON_MS:
            known[1] = max(known[1], ts)
        elif len(recent) >= _MANY:
            self._since[place] = [ts, ts]
        elif known is not None:
            del self._since[place]

    def since(self, org: str, system: str, ts: int) -> int | None:
        """When many of its series began to leave together; None when they did not."""
        known = self._since.get((org, system))
        return known[0] if known is not None and ts >= known[0] else None

    def go_back(self, org: str, system: str, ts: int) -> None:
        """Nothing at or after this time was true."""
        place = (org, system)
        self._called[place] = {one: at for one, at in self._called.get(place, {}).items() if at < ts}
        if place in self._since and self._since[place][1] >= ts:
            del self._since[place]

    def dump(self) -> list[Any]:
        return [[(*place, one) for place, one in which.items()] for which in (self._called, self._since)]

    def load(self, saved: list[Any]) -> None:
        called, since = saved
        self._called = {(org, system): one for org, system, one in called}
        self._since = {(org, system): one for org, system, one in since}
