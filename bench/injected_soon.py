"""How soon the changes with a goal in minutes are called, by how many events a minute their series has: LGSP calls that take twice as
long, and one-time codes of which 30 % are lost, with or without a report of it.

A simulated province without faults. With random buckets a copy of a series goes on beside it, with the change in its readings, until
somebody would be called: hundreds of them, where a run of the injected suite has one to three of each. A seed for trying.

python -m bench injected_soon
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from random import Random
from statistics import median

from bench.injected import BATCH, ZONE_NAME, midnight, stored
from bench.injected_judge import LEARNING_DAYS, WITHIN_MIN
from detector.series.aggregate import GRACE_MS, Aggregator
from detector.series.definition import Definition, Direction, load
from detector.series.meter import Meter
from detector.track import Track
from soc.simulator import Rates, World
from soc.simulator.line import DAY_MS, HOUR_MS, MINUTE_MS

SEED = 11
DAYS = LEARNING_DAYS + 14
RATES = Rates(0, 0, sign_ins=2500, system_calls=900, desk_work=400, administration=0, cron=0, monitor=0)
EVERY_MS = 2 * HOUR_MS  # one change in so long, of each series
LONGEST_MS = 4 * HOUR_MS
RATE_MS = HOUR_MS // 2  # how many events a minute there are, after the change
CLASSES = (1, 2, 3, 5, 8, 12, 17, 25)  # events a minute, from
CHANGES = {  # series: what happens to it, and the goal in minutes
    "lgsp-latency": ("latency doubled", WITHIN_MIN["lgsp_slow"]),
    "otp-delivery": ("30 % more reported lost", WITHIN_MIN["otp_loss"]),
    "otp-arrival": ("30 % lost without a word", WITHIN_MIN["otp_loss"]),
}


def changed(definition: Definition, value: float, weight: float, chance: Random) -> float:
    if not definition.measure.is_share:
        return 2 * value
    hits = round(value * weight)
    well = hits if definition.direction is Direction.LOW else weight - hits
    lost = sum(chance.random() < 0.3 for _ in range(round(well)))
    return (hits - lost if definition.direction is Direction.LOW else hits + lost) / weight


@dataclass(slots=True)
class Change:
    """A copy of a series from `since` (ms) on. `delay`: minutes until somebody would be called."""

    since: int
    track: Track
    events: float = 0.0
    delay: float | None = None

    def step(self, definition: Definition, ts: int, value: float | None, weight: float, chance: Random) -> None:
        if ts < self.since + RATE_MS:
            self.events += weight
        if self.delay is not None:
            return
        if value is not None:
            value = changed(definition, value, weight, chance)
        _, call = self.track.step(definition, ts, value, weight, 0.0)
        if call is not None:
            self.delay = (ts + definition.bucket_ms + definition.within_ms + GRACE_MS - self.since) / MINUTE_MS

    def is_over(self, ts: int) -> bool:
        return ts >= self.since + (LONGEST_MS if self.delay is None else RATE_MS)

    @property
    def a_minute(self) -> float:
        return self.events * MINUTE_MS / RATE_MS


@dataclass(slots=True)
class Series:
    track: Track
    changes: list[Change]

    def step(
        self,
        definition: Definition,
        meter: Meter,
        ts: int,
        reading: tuple[float | None, float],
        chance: Random,
        *,
        may_change: bool,
    ) -> list[Change]:
        """One bucket; what is over with it."""
        if may_change and chance.random() < definition.bucket_ms / EVERY_MS:
            self.changes.append(Change(ts, Track.load(self.track.dump(), definition, meter, ZONE_NAME)))
        for change in self.changes:
            change.step(definition, ts, *reading, chance)
        self.track.step(definition, ts, *reading, 0.0)
        over = [change for change in self.changes if change.is_over(ts)]
        self.changes = [change for change in self.changes if not change.is_over(ts)]
        return over


def watch(seed: int) -> dict[str, list[Change]]:
    start = midnight(date(2026, 3, 2))
    shipped = load().by_name
    definitions = {name: shipped[name] for name in CHANGES}
    aggregator, chance = Aggregator(definitions), Random(seed)
    entries = World(seed, start, RATES, []).entries(start + DAYS * DAY_MS)
    events = stored(entries, {one.dataset for one in definitions.values()})
    series: dict[tuple[str, Sequence[str]], Series] = {}
    over: dict[str, list[Change]] = defaultdict(list)
    while batch := list(islice(events, BATCH)):
        for closed in aggregator.feed(batch):
            board, definition = closed.board, closed.board.definition
            may_change = start + LEARNING_DAYS * DAY_MS <= closed.start < start + DAYS * DAY_MS - LONGEST_MS
            for slot, reading in closed.readings or ():
                key = (definition.name, board.keys[slot] or ())
                one = series.get(key) or series.setdefault(key, Series(Track(definition, board.meter, ZONE_NAME), []))
                over[definition.name] += one.step(
                    definition, board.meter, closed.start, reading, chance, may_change=may_change
                )
    return over


def report(name: str, changes: Iterable[Change]) -> list[tuple[str, str]]:
    (what, goal), rows = CHANGES[name], []
    classes: dict[int, list[float]] = defaultdict(list)
    for change in changes:
        if change.a_minute >= CLASSES[0]:
            classes[max(one for one in CLASSES if one <= change.a_minute)].append(change.delay or float("inf"))
    for least, upto in zip(CLASSES, (*map(str, CLASSES[1:]), "more"), strict=True):
        if delays := sorted(classes[least]):
            within = sum(delay <= goal for delay in delays) / len(delays)
            rows.append((
                f"{name}, {what}, {least} to {upto} a minute",
                f"{median(delays):.1f} min, nine in ten {delays[len(delays) * 9 // 10]:.1f}, "
                f"within {goal:.0f}: {100 * within:.0f} % of {len(delays)}",
            ))  # fmt: skip
    return rows


def main() -> list[tuple[str, str]]:
    return [row for name, changes in watch(SEED).items() for row in report(name, changes)]


if __name__ == "__main__":
    for what, figure in main():
        print(f"{what:62} {figure}", flush=True)
