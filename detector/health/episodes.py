"""Alarms over time: what burns in one system of one organisation is one episode, from when it begins until it has been calm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from detector.health import words
from detector.health.alarm import Alarm, Child, alarm_id
from detector.health.attribution import Cell, attribute
from detector.health.burn import PAIRS, WINDOWS, Severity
from detector.health.counts import MINUTE_MS, Key
from detector.health.definition import Slo
from detector.health.rings import Ints
from detector.health.units import Unit, Units
from soc.model.service_level import Blame, Burning, Place

CALM_MIN = 30  # minutes without burning before it is over
LOST_MIN = 1440  # minutes without any event before an episode is given up
STEADY_MIN = 5  # minutes in a row that another place has to be found before it is told
_CHILDREN = 20
_ENOUGH = 20  # failures in the short window from which on it alone says whose fault it is
_CALM_WINDOW = WINDOWS.index(30)


@dataclass(slots=True)
class _Episode:
    """`calm`, `lost`: minutes in a row in which nothing burned, or nothing was known. `burned_at`: ms, the end of the last that did.
    `elsewhere`: minutes in a row in which the counts named another place. `ticket`: it was told as one before it became a page."""

    alarm: Alarm
    burned_at: int
    calm: int = 0
    lost: int = 0
    elsewhere: int = 0
    ticket: bool = False


class Episodes:
    """The episodes that are on, by organisation and system."""

    def __init__(self, slos: Mapping[str, Slo]) -> None:
        self._slos = slos
        self.open: dict[tuple[str, str], _Episode] = {}

    def burning(self, org: str, slo: Slo) -> Burning | None:
        """The alarm of its system, where this objective is among what burns."""
        episode = self.open.get((org, slo.system))
        if episode is None or not any(child.slo == slo.name for child in episode.alarm.children):
            return None
        return episode.alarm.burning()

    def decide(
        self, minute: int, units: Units, sums: tuple[Ints, Ints], rows: tuple[Ints, Ints], first: NDArray[np.int8]
    ) -> Iterator[Alarm]:
        """What changes with this minute. `sums`, `rows`: total and bad in each window, by unit and by row; `first`: which of `PAIRS`
        fired for each unit, -1: none."""
        burning: dict[tuple[str, str], list[tuple[Child, Unit]]] = {}
        for number in np.flatnonzero(first >= 0).tolist():
            unit = units.all[number]
            child = self._child(unit, int(first[number]), sums[0][:, number], sums[1][:, number])
            burning.setdefault((unit.org, self._slos[unit.slo].system), []).append((child, unit))
        at = (minute + 1) * MINUTE_MS
        for whose in sorted(burning.keys() | self.open.keys()):
            if whose not in burning:
                heard = any(sums[0][_CALM_WINDOW, n] for n, unit in enumerate(units.all) if self._is_of(unit, whose))
                yield from self._calmer(whose, at, heard)
                continue
            yield from self._burns(whose, at, burning[whose], units, rows)

    def dump(self) -> bytes:
        return orjson.dumps([asdict(episode) for _, episode in sorted(self.open.items())])

    def load(self, dumped: bytes) -> None:
        for one in orjson.loads(dumped):
            alarm = _alarm(one["alarm"])
            self.open[alarm.org, alarm.system] = _Episode(
                alarm, one["burned_at"], one["calm"], one["lost"], one["elsewhere"], one.get("ticket", False)
            )

    def _is_of(self, unit: Unit, whose: tuple[str, str]) -> bool:
        return unit.kind is Blame.PLATFORM and (unit.org, self._slos[unit.slo].system) == whose

    def _child(self, unit: Unit, number: int, total: Ints, bad: Ints) -> Child:
        pair, window = PAIRS[number], WINDOWS.index(PAIRS[number].long)
        events, failed = int(total[window]), int(bad[window])
        burn = failed / events / self._slos[unit.slo].budget
        return Child(unit.slo, unit.kind, unit.name, pair.rate, pair.long, events, failed, burn)

    def _burns(
        self,
        whose: tuple[str, str],
        at: int,
        found: list[tuple[Child, Unit]],
        units: Units,
        rows: tuple[Ints, Ints],
    ) -> Iterator[Alarm]:
        """Whole objectives come before their parts where both burn: the part is in it."""
        found.sort(
            key=lambda one: (-one[0].rate, one[0].kind is not Blame.PLATFORM, -one[0].burn, one[0].slo, one[0].name)
        )
        worst, unit = found[0]
        pair = next(pair for pair in PAIRS if pair.rate == worst.rate)
        severity = min(
            (pair.severity for pair in PAIRS if any(c.rate == pair.rate for c, _ in found)), key=list(Severity).index
        )
        place = attribute(_cells(unit, pair.short, pair.long, units, rows), self._slos[worst.slo].budget)
        old = self.open.get(whose)
        place, elsewhere = _steady(old, place)
        if old and old.alarm.severity is Severity.PAGE:
            severity = Severity.PAGE  # it becomes milder as it ends; people have been called once
        since = old.alarm.since if old else at - MINUTE_MS
        children = tuple(child for child, _ in found[:_CHILDREN])
        alarm = Alarm(
            id=alarm_id(*whose, since),
            org=whose[0],
            system=whose[1],
            severity=severity,
            since=since,
            at=at,
            ended_at=None,
            place=place,
            children=children,
            reason=words.reason(self._slos[worst.slo], place, worst),
        )
        ticket = old is not None and (old.ticket or old.alarm.severity is not severity)
        self.open[whose] = _Episode(alarm, at, elsewhere=elsewhere, ticket=ticket)
        if old is None or (old.alarm.severity, old.alarm.place) != (severity, place):
            yield alarm

    def _calmer(self, whose: tuple[str, str], at: int, heard: bool) -> Iterator[Alarm]:
        episode = self.open[whose]
        episode.calm, episode.lost = (episode.calm + 1, 0) if heard else (episode.calm, episode.lost + 1)
        if episode.calm < CALM_MIN and episode.lost < LOST_MIN:
            return
        del self.open[whose]
        old, ended = episode.alarm, episode.burned_at
        reason = words.over(old.system, ended) if heard else words.lost(old.system, ended)
        over = replace(old, at=at, ended_at=ended, reason=reason)
        if episode.ticket:
            yield replace(over, severity=Severity.TICKET)
        yield over


def _steady(old: _Episode | None, found: Place) -> tuple[Place, int]:
    """The place to tell, and for how many minutes the counts have named another one. What was known once is not forgotten because
    counts grow old or few."""
    if old is None:
        return found, 0
    known = old.alarm.place
    if _whom(found) == _whom(known):  # in whatever order
        return known, 0
    if found.blame is Blame.UNKNOWN and known.blame is not Blame.UNKNOWN:
        return known, 0
    if found.blame is not Blame.UNKNOWN and known.blame is Blame.UNKNOWN:
        return found, 0
    if old.elsewhere + 1 < STEADY_MIN:
        return known, old.elsewhere + 1
    return found, 0


def _whom(place: Place) -> tuple[Blame, frozenset[str], frozenset[str]]:
    return place.blame, frozenset(place.upstream), frozenset(place.local)


def _cells(unit: Unit, short: int, long: int, units: Units, rows: tuple[Ints, Ints]) -> list[Cell]:
    """Who failed with whom in the objective of a unit: lately, where that is enough to tell."""
    own = units.rows_of(unit)
    window = WINDOWS.index(short)
    if int(rows[1][window, own].sum()) < _ENOUGH:
        window = WINDOWS.index(long)
    keys: list[Key] = [key for row in own if (key := units.keys[row])]
    counts = zip(keys, rows[0][window, own].tolist(), rows[1][window, own].tolist(), strict=True)
    return [Cell(key.upstream, key.local, total, bad) for key, total, bad in counts if total]


def _alarm(kept: dict[str, Any]) -> Alarm:
    """As it was before `asdict` and JSON."""
    place, children = kept["place"], kept["children"]
    return Alarm(
        **{
            **kept,
            "severity": Severity(kept["severity"]),
            "place": Place(Blame(place["blame"]), tuple(place["upstream"]), tuple(place["local"])),
            "children": tuple(Child(**{**child, "kind": Blame(child["kind"])}) for child in children),
        }
    )
