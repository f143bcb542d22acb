"""Service levels from the event stream: events in, alarms and figures out.

    observe(events)        count them, each to its minute, also when they come late
    tick(watermark)        decide each minute that is over; the alarms that began, changed or ended
    levels()               what people are shown: ratio, budget left, burn, whose fault
    changes() / load()     what has to be kept, only what changed since the last time; no pickle

Time is always an argument, so a replay of the same batches and ticks gives the same. What was not seen is unknown, never bad: a
window without events alarms nobody and ends nothing. Nor does an objective alarm before its first good event, of any organisation:
until then nothing tells an outage from a `good` that finds nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import orjson

from detector.health.alarm import Alarm
from detector.health.burn import PERIOD_DAYS, WINDOWS, fired
from detector.health.counts import AHEAD, HOUR, IN_MINUTES, MINUTE_MS, Counts, Key
from detector.health.definition import Slo
from detector.health.episodes import Episodes
from detector.health.rings import Ints
from detector.health.units import Units
from soc.model.event import Event
from soc.model.service_level import OTHER, Blame, Part, ServiceLevel

VERSION = 1
_PARTS_SHOWN = 20
_HOUR_WINDOW = WINDOWS.index(60)


class Levels:
    """`rows`: the most that is counted apart in all, `own`: for one organisation and objective."""

    def __init__(self, slos: Sequence[Slo], *, rows: int = 10_000, own: int = 500) -> None:
        self._slos = {slo.name: slo for slo in slos}
        self._counts = Counts(slos, rows, own)
        self._episodes = Episodes(self._slos)
        self._decided: int | None = None  # the last minute, since 1970
        self._units = Units([], self._slos)
        self._absent: dict[str, str] = {}  # meanings of objectives that are not there, but may come back

    @property
    def decided(self) -> int | None:
        """The last minute (since 1970) that was decided; None: none was."""
        return self._decided

    @property
    def datasets(self) -> frozenset[str]:
        """Events of others need not be given."""
        return self._counts.datasets

    @property
    def ahead(self) -> int:
        """Events left out because they lie more than six hours beyond how far event time had come."""
        return self._counts.ahead

    def observe(self, events: Sequence[Event], reached: int | None = None) -> None:
        """Count a batch, in any order. Give no more than an hour of events between two ticks: only the last six hours are decided.

        `reached`: how far event time has come with it, ms, never beyond the clock's; what lies more than six hours further is left
        out. None: as far as all is decided.
        """
        minute = None if reached is None else reached // MINUTE_MS
        if self._decided is None:  # the first minute to decide is that of the first event, however much came at once
            minutes = [event.ts // MINUTE_MS for event in events if event.ts]
            if minute is not None:
                minutes = [min(one, minute) for one in minutes if one <= minute + AHEAD]
            self._decided = min(minutes) - 1 if minutes else None
        self._counts.observe(events, max((one for one in (self._decided, minute) if one is not None), default=None))

    def tick(self, watermark: int) -> list[Alarm]:
        """Decide all minutes before `watermark` (ms: no event before it is expected): the alarms that began, changed or ended, oldest
        first. After a jump only the last six hours are decided; a watermark that goes back decides nothing."""
        until = watermark // MINUTE_MS - 1
        if self._decided is None or until <= self._decided:
            return []
        first = max(self._decided, until - IN_MINUTES) + 1
        alarms = [alarm for minute in range(first, until + 1) for alarm in self._decide(minute)]
        if until // (24 * HOUR) > self._decided // (24 * HOUR):
            self._counts.forget(until)
        self._decided = until
        return alarms

    def levels(self) -> list[ServiceLevel]:
        """Each objective of each organisation of which anything was seen in the period, by organisation, system and name."""
        if self._decided is None:
            return []
        units, until = self._grouping(), self._decided
        total, bad, first = self._counts.period(until)
        period = units.sum(np.stack((total, bad)))
        hour = units.sum(np.stack([window[_HOUR_WINDOW] for window in self._counts.windows(until)]))
        found = []
        for number, unit in enumerate(units.all):
            if unit.kind is not Blame.PLATFORM or not period[0, number]:
                continue
            slo, own = self._slos[unit.slo], units.rows_of(unit)
            began = [hour_ for hour_ in first[own].tolist() if hour_ >= 0]
            found.append(
                ServiceLevel(
                    org=unit.org,
                    system=slo.system,
                    name=slo.name,
                    titles=slo.titles,
                    measure=slo.measure,
                    objective=slo.objective,
                    days=PERIOD_DAYS,
                    at=(until + 1) * MINUTE_MS,
                    since=min(began) * HOUR * MINUTE_MS,
                    total=int(period[0, number]),
                    bad=int(period[1, number]),
                    burn=_burn(hour[:, number], slo) if hour[0, number] else None,
                    uncounted=sum(int(total[row]) for row in own if _is_rest(units.keys[row])),
                    parts=self._parts(units, number, period, hour),
                    burning=self._episodes.burning(unit.org, slo),
                    ever_good=slo.name in self._counts.good_since,
                )
            )
        return sorted(found, key=lambda level: (level.org, level.system, level.name))

    def changes(self) -> dict[str, bytes | None]:
        """What to keep under each name since this was last asked; None: nothing any more. To be written in one transaction."""
        meanings = self._absent | {name: _meaning(slo) for name, slo in self._slos.items()}
        head = {
            "version": VERSION,
            "decided": self._decided,
            "slos": meanings,
            "ahead": self._counts.ahead,
            "good_since": self._counts.good_since,
        }
        return {"head": orjson.dumps(head), "episodes": self._episodes.dump(), **dict(self._counts.changes())}

    def load(self, parts: Mapping[str, bytes], now: int | None = None, *, forget: bool = True) -> None:
        """Go on from what `changes` gave, all of it. What was counted by an objective that means something else now is left out.
        `now`: the clock, ms. `forget`: what was counted by objectives that are gone, too; else it waits for them.

        Raises ValueError when it is nothing that this version has written, or lies in the future: then start anew.
        """
        if not parts:
            return
        head = orjson.loads(parts["head"])
        if head["version"] != VERSION:
            raise ValueError(f"kept by version {head['version']}, this is {VERSION}")
        if now is not None and head["decided"] is not None and head["decided"] > now // MINUTE_MS + AHEAD:
            raise ValueError("it was kept by a clock that was far ahead")
        self._decided, self._counts.ahead = head["decided"], head["ahead"]
        self._counts.load(parts)
        self._counts.good_since = head.get("good_since", {})
        if "good_since" not in head and self._decided is not None:
            # It was written before this was kept: what was counted says it.
            self._counts.good_since = dict.fromkeys(self._counts.were_good(self._decided + AHEAD), 0)
        self._episodes.load(parts.get("episodes", b"[]"))
        gone, self._absent = set[str](), {}
        for name, meaning in head["slos"].items():
            slo = self._slos.get(name)
            if slo is None and not forget:
                self._absent[name] = meaning
            elif slo is None or meaning != _meaning(slo):
                gone.add(name)
        self._counts.drop(gone)

    def _decide(self, minute: int) -> Iterable[Alarm]:
        totals, bads = self._counts.windows(minute)
        if not bads.any() and not self._episodes.open:
            return ()
        units = self._grouping()
        total, bad = units.sum(totals), units.sum(bads)
        since = self._counts.good_since
        unproven = [number for number, unit in enumerate(units.all) if since.get(unit.slo, minute + 1) > minute]
        total[:, unproven] = bad[:, unproven] = 0  # unknown: neither an alarm nor the end of one
        return self._episodes.decide(minute, units, (total, bad), (totals, bads), fired(total, bad, units.budgets))

    def _grouping(self) -> Units:
        """Made anew when rows have come or gone."""
        if self._units.keys != self._counts.keys:
            self._units = Units(list(self._counts.keys), self._slos)
        return self._units

    def _parts(self, units: Units, whole: int, period: Ints, hour: Ints) -> tuple[Part, ...]:
        """The parts of an objective that failed most often."""
        slo = self._slos[units.all[whole].slo]
        parts = [
            Part(one.kind, one.name, int(period[0, n]), int(period[1, n]), _burn(hour[:, n], slo))
            for n, one in units.parts_of(units.all[whole])
            if period[0, n]
        ]
        return tuple(sorted(parts, key=lambda part: (-part.burn, -part.bad, part.kind, part.name))[:_PARTS_SHOWN])


def _meaning(slo: Slo) -> str:
    return hashlib.blake2b(slo.text.encode(), digest_size=8).hexdigest()


def _is_rest(key: Key | None) -> bool:
    return key is not None and key.upstream == OTHER


def _burn(counts: Ints, slo: Slo) -> float:
    total, bad = counts.tolist()
    return float(bad / total / slo.budget) if total else 0.0
