"""The injected suite: what the series that the product ships make of the faults of a simulated province, and of quiet weeks.

Events of its sessions go through the product's own aggregation, scorer and episodes, in memory. Two things are judged: calls, which
are what people are paged for, and the alarms that a scorer alone has at its usual budget. Nothing is fitted to the truth, which is
read afterwards. Seeds below 100 are for trying; figures that are published are of `HELD_OUT`, and seeds that were
looked at are spent: 101 to 110.

python -m bench injected; python -m bench.injected 1 2 ...
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from bench.injected_judge import LEARNING_DAYS, Alarm, Key, Run, Tally
from bench.injected_levels import LevelWatch
from detector.series.aggregate import GRACE_MS, Aggregator
from detector.series.board import Closed
from detector.series.definition import Definition, load
from detector.track import Track
from soc.model.event import Stored
from soc.simulator import Entry, Incident, Planned, Rates, World, draw
from soc.simulator.flat import event_of
from soc.simulator.line import DAY_MS, HOUR_MS, MINUTE_MS, ZONE

HELD_OUT = (109,)
ZONE_NAME = ZoneInfo("Asia/Ho_Chi_Minh")
RATES = Rates(visits=100, sign_ins=1200, system_calls=900, desk_work=400)  # 28,000 one-time codes a working day
BATCH = 1_000  # events; some minutes
DECLARED = 3.0  # times the usual: what the plan's surge brings, too
FAULTS = (
    "otp_loss", "otp_late_codes", "otp_verify_failures", "lgsp_slow", "lgsp_timeouts", "lgsp_certificate", "lgsp_quota",
    "lgsp_link_flaps", "lgsp_duplicates", "portal_errors", "portal_slow", "procedure_errors",
)  # fmt: skip


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
    events = stored(world.entries(start + days * DAY_MS), wanted)
    while batch := list(islice(events, BATCH)):
        for closed in aggregator.feed(batch):
            _step(run, closed, tracks, world.incidents)
        for told in watch.feed(batch):
            known = (told.at - start) / MINUTE_MS
            if known >= LEARNING_DAYS * 1440:
                run.levels.append(Alarm(known, Key(told.system, told.objective, told.names), known))
    run.incidents, run.series = world.incidents, len(tracks)
    run.components = {key.component for key in tracks}
    return run


def stored(entries: Iterable[Entry], datasets: set[str]) -> Iterator[Stored]:
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
                # Of a slow leak it is one with its call; what comes back is another one.
                run.call(known, key, max(call.began, call.since))
            if point.anomaly:
                run.alarms.append(Alarm(known, key, known))


def _surges(definition: Definition, at: int, incidents: list[Incident]) -> bool:
    """A surge that was announced moves the volumes of what it is about."""
    return definition.measure.is_volume and any(
        one.kind == "surge" and one.start <= at < one.end and definition.system in one.system.split("+")
        for one in incidents
    )


def faults(seed: int) -> Run:
    """Four weeks; from the third on about one fault a component and workday."""
    start = midnight(date(2026, 3, 2))
    plan = [item for item in draw(seed, start, start + 28 * DAY_MS, LEARNING_DAYS) if item.kind in FAULTS]
    return observe(seed, date(2026, 3, 2), 28, plan)


def large(seed: int) -> Run:
    """One-time codes alone, 117,000 a working day; in the third week a carrier loses some of them twice a day."""
    start = midnight(date(2026, 3, 2))
    plan = [
        Planned(start + day * DAY_MS + hour * HOUR_MS, "otp_loss")
        for day in range(LEARNING_DAYS, LEARNING_DAYS + 5)
        for hour in (9, 14)
    ]
    return observe(seed, date(2026, 3, 2), LEARNING_DAYS + 5, plan, Rates(0, 0, 5000, 0, 0, 0, 0, 0))


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


def label(seeds: tuple[int, ...]) -> str:
    return "seeds, all held out" if set(seeds) <= set(HELD_OUT) else "seeds for trying, or spent"


def report(seeds: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    yield label(seeds), ", ".join(map(str, seeds))
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
    codes = Tally()
    for seed in seeds:
        run = large(seed)
        codes.add(run, run.calls, is_quiet=False)
    yield "calls, 117,000 one-time codes a working day", ""
    yield from codes.report()


def main(seeds: tuple[int, ...] = HELD_OUT) -> list[tuple[str, str]]:
    return [*report(seeds)]


if __name__ == "__main__":
    for what, figure in report(tuple(map(int, sys.argv[1:])) or HELD_OUT):
        print(f"{what:62} {figure}", flush=True)
