"""World: ordinary traffic and incidents, in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from random import Random

from soc.simulator import lgsp, otp, portal, servers
from soc.simulator.incidents import INCIDENTS, Incident
from soc.simulator.line import ZONE, Line
from soc.simulator.people import officers

# How busy each local hour is; weekends are quieter.
_HOURS = (
    0.15,
    0.1,
    0.08,
    0.07,
    0.08,
    0.2,
    0.6,
    1.3,
    2.4,
    2.6,
    2.4,
    1.6,
    0.9,
    1.5,
    2.2,
    2.1,
    1.9,
    1.3,
    0.9,
    0.9,
    1.0,
    0.9,
    0.6,
    0.3,
)
_MEAN = sum(_HOURS) / 24
_WEEKEND = 0.35
HOUR_MS = 3_600_000

Session = Callable[[int, Random], list[Line]]


@dataclass(frozen=True, slots=True)
class Rates:
    """Sessions an hour, averaged over a working day. The defaults make about 150,000 lines a day."""

    visits: float = 220
    crawls: float = 4
    sign_ins: float = 420
    system_calls: float = 500
    desk_work: float = 220
    administration: float = 6
    cron: float = 20
    monitor: float = 120

    def times(self, factor: float) -> Rates:
        return Rates(*(factor * getattr(self, name) for name in self.__slots__))


class World:
    """A province. The same seed, start and incidents give the same lines; incidents leave the ordinary lines as they are,
    but for the citizens whose carrier is out.

    `start`: ms since 1970. `incidents`: begin (ms) and kind of each, in order of time; may have no end.
    """

    def __init__(
        self, seed: int, start: int, rates: Rates | None = None, incidents: Iterable[tuple[int, str]] = ()
    ) -> None:
        self.start = start
        self.incidents: list[Incident] = []  # those that have begun
        self._seed = seed
        self._rates = rates or Rates()
        self._planned = incidents
        self._outages: list[otp.Outage] = []
        self._officers = officers(Random(f"{seed}/officers"), 400)

    def lines(self, end: int | None = None) -> Iterator[Line]:
        """Every line before `end` (ms), in the order of time; without `end`, for ever."""
        waiting: list[tuple[int, int, Line]] = []
        number = 0
        for at, session in heapq.merge(*self._ordinary(end), self._extraordinary(end), key=lambda arrival: arrival[0]):
            while waiting and waiting[0][0] < at:
                yield heapq.heappop(waiting)[2]
            for line in session():
                number += 1
                heapq.heappush(waiting, (line.at, number, line))
        while waiting and (end is None or waiting[0][0] < end):
            yield heapq.heappop(waiting)[2]

    def _ordinary(self, end: int | None) -> list[Iterator[tuple[int, Callable[[], list[Line]]]]]:
        rates = self._rates
        kinds: tuple[tuple[str, float, Session, bool], ...] = (
            ("visits", rates.visits, portal.visit, True),
            ("crawls", rates.crawls, portal.crawl, False),
            ("sign_ins", rates.sign_ins, lambda at, rng: otp.sign_in(at, rng, self._outages), True),
            ("system_calls", rates.system_calls, lgsp.system_call, True),
            ("desk_work", rates.desk_work, lambda at, rng: lgsp.desk_work(at, rng, rng.choice(self._officers)), True),
            ("administration", rates.administration, servers.administer, True),
            ("cron", rates.cron, servers.cron, False),
            ("monitor", rates.monitor, portal.monitor, False),
        )
        return [
            self._arrivals(Random(f"{self._seed}/{name}"), rate, session, daily, end)
            for name, rate, session, daily in kinds
            if rate
        ]

    def _arrivals(
        self, rng: Random, rate: float, session: Session, daily: bool, end: int | None
    ) -> Iterator[tuple[int, Callable[[], list[Line]]]]:
        """Sessions that begin at random; as many as the hour of the day makes likely where people are behind them."""
        at = self.start
        while True:
            busy = _busy(at // HOUR_MS) if daily else 1.0
            at += max(1, int(rng.expovariate(rate * busy / HOUR_MS)))
            if end is not None and at >= end:
                return
            yield at, lambda at=at: session(at, rng)  # type: ignore[misc]

    def _extraordinary(self, end: int | None) -> Iterator[tuple[int, Callable[[], list[Line]]]]:
        for number, (at, kind) in enumerate(self._planned):
            if end is not None and at >= end:
                return
            yield at, lambda at=at, kind=kind, number=number: self._begin(at, kind, number)  # type: ignore[misc]

    def _begin(self, at: int, kind: str, number: int) -> list[Line]:
        episode = INCIDENTS[kind](at, Random(f"{self._seed}/{number}/{kind}"))
        self.incidents.append(episode.incident)
        self._outages = [outage for outage in self._outages if outage[2] > at]
        if episode.outage:
            self._outages.append(episode.outage)
        return episode.lines


@lru_cache(maxsize=1024)
def _busy(hour: int) -> float:
    """How busy an hour since 1970 is against the mean of a working day."""
    local = datetime.fromtimestamp(hour * 3600, ZONE)
    return _HOURS[local.hour] / _MEAN * (_WEEKEND if local.weekday() >= 5 else 1.0)
