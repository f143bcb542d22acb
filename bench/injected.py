"""The injected suite: what the series that the product ships make of the faults of a simulated province, and of quiet weeks.

Events of its sessions go through the product's own aggregation, scorer and episodes, in memory. Two things are judged: calls, which
are what people are paged for, and the alarms that a scorer alone has at its usual budget. Nothing is fitted to the truth, which is
read afterwards. Seeds below 100 are for trying; figures that are published are of others.

python -m bench injected; python -m bench.injected 101 102 ...
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bench.injected_levels import LevelWatch
from detector.series.aggregate import GRACE_MS, Aggregator
from detector.series.board import Closed
from detector.series.definition import Definition, Measure, load
from detector.track import Track
from soc.model.event import Stored
from soc.simulator import Entry, Incident, Planned, Rates, World, draw
from soc.simulator.calendar import day_kind
from soc.simulator.flat import event_of
from soc.simulator.line import DAY_MS, HOUR_MS, MINUTE_MS, ZONE

HELD_OUT = (101,)
ZONE_NAME = ZoneInfo("Asia/Ho_Chi_Minh")
RATES = Rates(visits=100, sign_ins=1200, system_calls=900, desk_work=400)  # 28,000 one-time codes a working day
LEARNING_DAYS, WEEK = 14, 10_080
BATCH = 1_000  # events; some minutes
DECLARED = 3.0  # times the usual: what the plan's surge brings, too
AFTER_MIN = 180  # what still alarms so long after the end of an incident is its end: two hours, and the longest bucket
FOLD_MIN = 60  # alarms of a component that are closer are one incident
FAULTS = (
    "otp_loss", "otp_late_codes", "otp_verify_failures", "lgsp_slow", "lgsp_timeouts", "lgsp_certificate", "lgsp_quota",
    "lgsp_link_flaps", "lgsp_duplicates", "portal_errors", "portal_slow",
)  # fmt: skip
WITHIN_MIN = {"otp_loss": 3.0, "lgsp_slow": 5.0, "slow_leak": 3 * 1440.0}  # the goals
# The feature of the truth -> the definitions and the objectives that measure it.
MEASURED_BY = {
    "otp.delivery_ratio": ("otp-delivery", "otp-arrival", "otp-delivery-hourly", "otp-delivered"),
    "otp.delivery_latency": ("otp-delivery-time", "otp-arrival", "otp-in-time"),
    "otp.verify_ratio": ("otp-verification",),
    "lgsp.latency": ("lgsp-latency", "lgsp-latency-hourly", "lgsp-latency-tail", "lgsp-fast"),
    "lgsp.error_ratio": ("lgsp-failures", "lgsp-failures-hourly", "lgsp-refusals", "lgsp-answered"),
    "lgsp.duplicates": ("lgsp-duplicates", "lgsp-calls"),
    "portal.error_ratio": ("portal-errors", "portal-errors-hourly", "portal-answered"),
    "portal.latency": ("portal-latency", "portal-fast"),
}


class Key(NamedTuple):
    component: str
    definition: str
    group: tuple[str, ...]


class Alarm(NamedTuple):
    """`minute` since the begin in which it is known: when its bucket is closed."""

    minute: float
    key: Key


@dataclass
class Run:
    """One simulated time: its truth, and in order of time what was called, what the scorers alone alarm about, and what service levels
    told."""

    start: int
    days: int
    incidents: list[Incident] = field(default_factory=list)
    calls: list[Alarm] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    levels: list[Alarm] = field(default_factory=list)
    components: set[str] = field(default_factory=set)
    series: int = 0


def midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp() * 1000)


def observe(seed: int, first: date, days: int, plan: list[Planned], rates: Rates = RATES) -> Run:
    start = midnight(first)
    world, run = World(seed, start, rates, plan), Run(start, days)
    definitions = load().by_name
    aggregator = Aggregator(definitions)
    tracks: dict[Key, Track] = {}
    watch = LevelWatch()
    wanted = {one.dataset for one in definitions.values()} | watch.datasets
    events = _stored(world.entries(start + days * DAY_MS), wanted)
    while batch := list(islice(events, BATCH)):
        for closed in aggregator.feed(batch):
            _step(run, closed, tracks, world.incidents)
        for told in watch.feed(batch):
            known = (told.at - start) / MINUTE_MS
            if known >= LEARNING_DAYS * 1440:
                run.levels.append(Alarm(known, Key(told.system, told.objective, told.names)))
    run.incidents, run.series = world.incidents, len(tracks)
    run.components = {key.component for key in tracks}
    return run


def _stored(entries: Iterable[Entry], datasets: set[str]) -> Iterator[Stored]:
    for number, entry in enumerate(entries):
        if entry.stream in datasets:
            yield Stored.of(event_of(entry, "hungyen", number))


def _step(run: Run, closed: Closed, tracks: dict[Key, Track], incidents: list[Incident]) -> None:
    board, definition = closed.board, closed.board.definition
    known = (closed.start + board.width + definition.within_ms + GRACE_MS - run.start) / MINUTE_MS
    for slot, (value, weight) in closed.readings or ():
        key = Key(definition.system, definition.name, board.keys[slot] or ())
        track = tracks.get(key) or tracks.setdefault(key, Track(definition, board.meter, ZONE_NAME))
        surge = DECLARED if _surges(definition, closed.start, incidents) else None
        point, call = track.step(definition, closed.start, value, weight, 0.0, surge=surge)
        if known >= LEARNING_DAYS * 1440:
            if call is not None:
                run.calls.append(Alarm(known, key))
            if point.anomaly:
                run.alarms.append(Alarm(known, key))


def _surges(definition: Definition, at: int, incidents: list[Incident]) -> bool:
    """A surge that was announced moves the volumes of what it is about."""
    return definition.measure in (Measure.COUNT, Measure.DISTINCT) and any(
        one.kind == "surge" and one.start <= at < one.end and definition.system in one.system.split("+")
        for one in incidents
    )


class Found(NamedTuple):
    incident: Incident
    delay_min: float | None  # until the first alarm of its component is known; None: never
    named: bool  # its feature is among the first three that alarm, within five minutes


def judge(run: Run, alarms: list[Alarm]) -> tuple[list[Found], dict[str, list[float]]]:
    """What was found, and the false incidents of each component: the minute in which each begins."""
    expected = [one for one in run.incidents if one.expect == "anomaly"]
    false: dict[str, list[float]] = defaultdict(list)
    last: dict[str, float] = {}
    for minute, key in sorted(alarms):
        of = key.component
        if any(
            begin <= minute <= end + AFTER_MIN for begin, end in (_span(run, i) for i in expected if i.component == of)
        ):
            continue
        if minute - last.get(of, -FOLD_MIN - 1) > FOLD_MIN:
            false[of].append(minute)
        last[of] = minute
    return [_found(run, one, alarms) for one in expected], false


def _span(run: Run, incident: Incident) -> tuple[float, float]:
    return (incident.start - run.start) / MINUTE_MS, (incident.end - run.start) / MINUTE_MS


def _found(run: Run, incident: Incident, alarms: list[Alarm]) -> Found:
    begin, end = _span(run, incident)
    measured_by = MEASURED_BY[incident.feature]
    of = sorted(
        alarm for alarm in alarms if alarm.key.component == incident.component and begin < alarm.minute <= end + 5
    )
    if end - begin > 1440:  # whatever alarms in the days of a leak need not be about it
        of = [alarm for alarm in of if alarm.key.definition in measured_by]
    if not of:
        return Found(incident, None, named=False)
    first = of[0].minute
    names = list(dict.fromkeys(alarm.key.definition for alarm in of if alarm.minute <= first + 5))[:3]
    return Found(incident, first - begin, any(name in names for name in measured_by))


def faults(seed: int) -> Run:
    """Four weeks; from the third on about one fault a component and workday."""
    start = midnight(date(2026, 3, 2))
    plan = [item for item in draw(seed, start, start + 28 * DAY_MS, LEARNING_DAYS) if item.kind in FAULTS]
    return observe(seed, date(2026, 3, 2), 28, plan)


def leaks(seed: int) -> Run:
    """A slow leak from the fourth week on."""
    at = midnight(date(2026, 3, 2)) + 21 * DAY_MS + 8 * HOUR_MS
    how = {"measure": "success" if seed % 2 else "latency", "percent": 2, "days": 7}
    lgsp_alone = Rates(0, 0, 0, RATES.system_calls, RATES.desk_work, 0, 0, 0)
    return observe(seed, date(2026, 3, 2), 28, [Planned(at, "slow_leak", how)], lgsp_alone)


def quiet(seed: int) -> Run:
    """Seven weeks, the last of them Tết's; a surge day, collector outages and a merge, all announced: nothing to find."""
    first = date(2026, 1, 5)
    start = midnight(first)

    def at(day: int, hour: int) -> int:
        return start + day * DAY_MS + hour * HOUR_MS

    plan = [
        Planned(at(15, 10), "collector_outage", {"stream": "otp.gateway"}),
        Planned(at(17, 7), "surge", {"factor": 3}),
        Planned(at(18, 14), "collector_outage", {"stream": "lgsp.gateway"}),
        Planned(at(21, 0), "merge"),
    ]
    return observe(seed, first, 49, plan)


def weeks_of(run: Run) -> Iterator[tuple[str, int]]:
    """Each week after learning, with what is special about it."""
    for week in range(LEARNING_DAYS // 7, run.days // 7):
        days = [datetime.fromtimestamp(run.start / 1000 + (week * 7 + day) * 86_400, ZONE).date() for day in range(7)]
        merged = any(i.kind == "merge" and _span(run, i)[0] // WEEK == week for i in run.incidents)
        yield "merge" if merged else "Tết" if sum(day_kind(day) == "tet" for day in days) > 1 else "normal", week


@dataclass
class Tally:
    """What comes out of all simulated times."""

    found: list[Found] = field(default_factory=list)
    false: dict[str, list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )  # of each kind of week, each component
    announced: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, run: Run, alarms: list[Alarm], is_quiet: bool) -> None:
        found, wrong = judge(run, alarms)
        self.found += found
        if not is_quiet:
            return
        for kind, week in weeks_of(run):
            self.false[kind] += [
                sum(m // WEEK == week for m in wrong[component]) for component in sorted(run.components)
            ]
        for incident in run.incidents:
            begin, end = _span(run, incident)
            near = [m for m in wrong[incident.component] if begin <= m <= min(end, begin + WEEK) + 30]
            self.announced[incident.kind] += len(near)
        self.announced["Sundays"] += sum(_sunday(run, m) for minutes in wrong.values() for m in minutes)

    def report(self) -> Iterator[tuple[str, str]]:
        for kind in sorted({one.incident.kind for one in self.found}):
            yield f"  {kind}", _delays(kind, [one for one in self.found if one.incident.kind == kind])
        caught = [one for one in self.found if one.delay_min is not None]
        yield "  recall", f"{len(caught) / max(len(self.found), 1):.2f} ({len(caught)} of {len(self.found)})"
        named = sum(one.named for one in caught)
        yield "  injected feature among the first three", f"{named / max(len(caught), 1):.2f} of those found"
        for kind, counts in self.false.items():
            mean = f"{sum(counts) / len(counts):.2f} ({sum(counts)} in {len(counts)})"
            yield f"  false incidents a component and {kind} week", mean
        for kind, count in self.announced.items():
            yield f"  false incidents in what was announced: {kind}", str(count)


def _sunday(run: Run, minute: float) -> bool:
    return datetime.fromtimestamp(run.start / 1000 + minute * 60, ZONE).weekday() == 6


def _delays(kind: str, of: list[Found]) -> str:
    delays = [one.delay_min for one in of if one.delay_min is not None]
    text = f"{len(delays)} of {len(of)} found"
    if delays:
        text += f", after {median(delays):.1f} min (median; worst {max(delays):.1f})"
    if kind in WITHIN_MIN:
        text += f"; {sum(d <= WITHIN_MIN[kind] for d in delays)} within {WITHIN_MIN[kind]:.0f}"
    return text


def report(seeds: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    yield "seeds, all held out" if min(seeds) > 100 else "seeds for trying", ", ".join(map(str, seeds))
    tallies: Mapping[str, Tally] = {
        name: Tally()
        for name in (
            "calls",
            "alarms of scorers alone, 4 half hours a week",
            "service levels",
            "calls and service levels",
        )
    }
    days = 0.0
    for seed in seeds:
        for scenario in (faults, leaks, quiet):
            run = scenario(seed)
            for tally, alarms in zip(
                tallies.values(), (run.calls, run.alarms, run.levels, run.calls + run.levels), strict=True
            ):
                tally.add(run, alarms, scenario is quiet)
            days += run.series * (run.days - LEARNING_DAYS) if scenario is quiet else 0
    for name, tally in tallies.items():
        yield name, ""
        yield from tally.report()
        wrong = sum(sum(counts) for counts in tally.false.values())
        yield "  false incidents in 1,000 quiet days of a series", f"{1000 * wrong / max(days, 1):.2f}"


def main(seeds: tuple[int, ...] = HELD_OUT) -> list[tuple[str, str]]:
    return [*report(seeds)]


if __name__ == "__main__":
    for what, figure in report(tuple(map(int, sys.argv[1:])) or HELD_OUT):
        print(f"{what:62} {figure}", flush=True)
