"""World: ordinary traffic and incidents, in the order of time."""

from __future__ import annotations

import heapq
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from random import Random

from soc.model.event import Event
from soc.simulator import calendar, lgsp, otp, portal, servers
from soc.simulator.calendar import CITIZENS, DESKS, MACHINES, SLOT_MS, SYSTEMS, Habit
from soc.simulator.episode import Effect, Incident, Scene
from soc.simulator.faults import FAULTS
from soc.simulator.flat import event_of
from soc.simulator.line import HOUR_MS, MINUTE_MS, Entry, Line
from soc.simulator.native import line_of
from soc.simulator.people import Officer, officers
from soc.simulator.plan import KINDS, Planned

_LEAD_MS = 30 * MINUTE_MS  # sessions that began this long before a fault may still feel it

Session = Callable[[int, Random], list[Entry]]
Coming = tuple[int, Callable[[], list[Entry]]]  # when a session begins (ms), and what makes its entries


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
    but for those whom a fault reaches.

    `start`: ms since 1970. `incidents`: begin (ms), kind and options of each (`Planned`), in order of time; may have no end.
    `org`: the code of the organisation, which events bear.
    """

    def __init__(
        self,
        seed: int,
        start: int,
        rates: Rates | None = None,
        incidents: Iterable[Planned | tuple[int, str]] = (),
        org: str = "hungyen",
    ) -> None:
        self.start = start
        self.org = org
        self.incidents: list[Incident] = []  # those that have begun; faults a little earlier
        self._seed = seed
        self._rates = rates or Rates()
        self._planned = incidents
        self._effects: list[Effect] = []
        self._coming: list[tuple[int, int, Callable[[], list[Entry]], Iterator[Coming]]] = []
        self._places = 0
        staff = officers(Random(f"{seed}/officers"), 400)
        self._scene = Scene(staff)
        self._desks = _desk_work(staff)

    def lines(self, end: int | None = None) -> Iterator[Line]:
        """Every native line before `end` (ms), in the order of time; without `end`, for ever."""
        return map(line_of, self.entries(end))

    def events(self, end: int | None = None) -> Iterator[Event]:
        """The same as flat ECS events, without the way through text: see `soc.simulator.flat`."""
        return (event_of(entry, self.org, number) for number, entry in enumerate(self.entries(end)))

    def entries(self, end: int | None = None) -> Iterator[Entry]:
        """What both are made of."""
        waiting: list[tuple[int, int, Entry]] = []
        number = 0
        for arrivals in (*self._ordinary(end), self._extraordinary(end)):
            self._add(arrivals)
        while self._coming:
            at, place, session, arrivals = self._coming[0]
            while waiting and waiting[0][0] < at:
                yield heapq.heappop(waiting)[2]
            if following := next(arrivals, None):
                heapq.heapreplace(self._coming, (following[0], place, following[1], arrivals))
            else:
                heapq.heappop(self._coming)
            for entry in self._felt(session(), at):
                number += 1
                heapq.heappush(waiting, (entry.at, number, entry))
        while waiting and (end is None or waiting[0][0] < end):
            yield heapq.heappop(waiting)[2]

    def _add(self, arrivals: Iterator[Coming]) -> None:
        self._places += 1
        if first := next(arrivals, None):
            heapq.heappush(self._coming, (first[0], self._places, first[1], arrivals))

    def _felt(self, entries: list[Entry], at: int) -> list[Entry]:
        """A session's entries as the faults of the time make them."""
        if self._effects:
            self._effects = [effect for effect in self._effects if effect.end > at]
            for effect in self._effects:
                if entries and effect.touches(entries):
                    entries = effect.change(entries)
        return entries

    def _sessions(self) -> dict[str, tuple[Session, Habit]]:
        """By the names of `Rates`: what makes a session, and when there are many of them."""
        return {
            "visits": (portal.visit, CITIZENS),
            "crawls": (portal.crawl, MACHINES),
            "sign_ins": (otp.sign_in, CITIZENS),
            "system_calls": (lgsp.system_call, SYSTEMS),
            "desk_work": (self._desks, DESKS),
            "administration": (servers.administer, SYSTEMS),
            "cron": (servers.cron, MACHINES),
            "monitor": (portal.monitor, MACHINES),
        }

    def _ordinary(self, end: int | None) -> list[Iterator[Coming]]:
        return [self._arrivals(name, Random(f"{self._seed}/{name}"), 1.0, self.start, end) for name in self._sessions()]

    def _arrivals(self, name: str, rng: Random, factor: float, start: int, end: int | None) -> Iterator[Coming]:
        """Sessions that begin at random; as many as the day and hour make likely, times the factor."""
        session, habit = self._sessions()[name]
        rate = getattr(self._rates, name) * factor / HOUR_MS
        at = start
        while rate > 0 and (end is None or at < end):
            slot = at // SLOT_MS
            likely = rate * calendar.busy(self._seed, name, habit, slot)
            until = (slot + 1) * SLOT_MS if end is None else min((slot + 1) * SLOT_MS, end)
            moment = at + (rng.expovariate(likely) if likely else SLOT_MS)
            while moment < until:
                yield int(moment), partial(session, int(moment), rng)
                moment += rng.expovariate(likely)
            at = until  # what waits longer than the slot waits as long from its end on: waiting has no memory

    def _extraordinary(self, end: int | None) -> Iterator[Coming]:
        for number, item in enumerate(self._planned):
            planned = Planned(*item)
            if end is not None and planned.at >= end:
                return
            lead = _LEAD_MS if planned.kind in FAULTS else 0
            yield max(self.start, planned.at - lead), partial(self._begin, planned, number, end)

    def _begin(self, planned: Planned, number: int, end: int | None) -> list[Entry]:
        at, kind, how = planned
        rng = Random(f"{self._seed}/{number}/{kind}")
        episode = KINDS[kind](at, rng, self._scene, **how)
        incident = replace(episode.incident, org=self.org)
        self.incidents.append(incident)
        if episode.effect:
            self._effects.append(episode.effect)
        until = incident.end if end is None else min(incident.end, end)
        for name, factor in episode.volume.items():
            self._add(self._arrivals(name, Random(f"{self._seed}/{number}/{name}"), factor - 1, at, until))
        return episode.entries


def _desk_work(staff: tuple[Officer, ...]) -> Session:
    """The work of one of these, by their shares of it."""
    shares = tuple(accumulate(officer.share for officer in staff))

    def work(at: int, rng: Random) -> list[Entry]:
        return lgsp.desk_work(at, rng, staff[bisect(shares, rng.random() * shares[-1])])

    return work
