"""The injected suite: what a scorer of series finds of the faults of a simulated province, and what it makes of quiet weeks.

Numbers only: minute series straight from the sessions, `detector.score.Scorer` as it is, one alarm budget for all. Nothing is fitted to
the truth, which is read after scoring. Seeds below 100 are for trying; figures that are published are of others.

python -m bench injected; python -m bench.injected 101 102 ...
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np

from bench.injected_series import Key, Minutes, Series
from detector.score import Scorer
from soc.simulator import Incident, Planned, Rates, World, draw
from soc.simulator.calendar import day_kind
from soc.simulator.line import DAY_MS, HOUR_MS, MINUTE_MS, ZONE

HELD_OUT = (101, 102)
# A province of three million: 40,000 one-time codes a working day.
RATES = Rates(visits=220, sign_ins=1700, system_calls=1500, desk_work=660)
LEARNING_DAYS = 14
BUDGETS = (4.0, 0.5)  # half hours a week and series: what `soc score` has, and less
AFTER_MIN = 120  # what still alarms so long after the end of an incident is its end
FOLD_MIN = 60  # alarms of a component that are closer are one incident
FAULTS = (
    "otp_loss", "otp_late_codes", "otp_verify_failures", "lgsp_slow", "lgsp_timeouts", "lgsp_certificate", "lgsp_quota",
    "lgsp_link_flaps", "lgsp_duplicates", "portal_errors", "portal_slow",
)  # fmt: skip
WITHIN_MIN = {"otp_loss": 3.0, "lgsp_slow": 5.0, "slow_leak": 3 * 1440.0}  # the goals


@dataclass(frozen=True)
class Simulated:
    """One simulated time, its truth and its series."""

    start: int
    days: int
    incidents: list[Incident]
    series: dict[Key, Series]


@dataclass(frozen=True)
class Run:
    """It, scored: by series the minutes with alarms, and the score of each minute."""

    start: int
    days: int
    incidents: list[Incident]
    alarms: dict[Key, list[int]]
    scores: dict[Key, np.ndarray]


def simulate(seed: int, first: date, days: int, plan: list[Planned], rates: Rates = RATES) -> Simulated:
    start = midnight(first)
    world = World(seed, start, rates, plan)
    series = Minutes(start, days * 1440).collect(world.entries(start + days * DAY_MS))
    for key, one in series.items():
        _declare(key, one, start, world.incidents)
    return Simulated(start, days, world.incidents, series)


def scored(of: Simulated, budget: float) -> Run:
    pairs = {key: score(one, of.start, budget) for key, one in of.series.items()}
    alarms, scores = ({key: pair[i] for key, pair in pairs.items()} for i in (0, 1))
    return Run(of.start, of.days, of.incidents, alarms, scores)  # type: ignore[arg-type]


def midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp() * 1000)


def _declare(key: Key, series: Series, start: int, incidents: list[Incident]) -> None:
    """A surge that was announced suspends the volumes of what it is about."""
    for incident in incidents:
        if incident.kind == "surge" and key.name in (
            f"{system}.{what}" for system in incident.system.split("+") for what in ("requests", "calls")
        ):
            series.values[(incident.start - start) // MINUTE_MS : (incident.end - start) // MINUTE_MS] = np.nan


def score(series: Series, start: int, budget: float) -> tuple[list[int], np.ndarray]:
    """Minutes with an alarm after the time of learning, and all scores."""
    scorer = Scorer(60, series.kind, ZoneInfo("Asia/Ho_Chi_Minh"), budget)
    scores, alarms = np.zeros(len(series.values), np.float32), []
    for minute, (value, weight) in enumerate(zip(series.values.tolist(), series.weights.tolist(), strict=True)):
        point = scorer.step(start + minute * MINUTE_MS, value, weight)
        scores[minute] = point.score
        if point.anomaly and minute >= LEARNING_DAYS * 1440:
            alarms.append(minute)
    return alarms, scores


@dataclass(frozen=True)
class Found:
    incident: Incident
    delay_min: float | None  # until the first alarm of its component; None: never
    named: bool  # its feature is among the three that are furthest off by then


def judge(run: Run) -> tuple[list[Found], dict[str, list[int]]]:
    """What was found, and the false incidents of each component: the minute in which each begins."""
    found = [_found(run, incident) for incident in run.incidents if incident.expect == "anomaly"]
    false: dict[str, list[int]] = defaultdict(list)
    for component in {key.component for key in run.alarms}:
        explained = [_span(run, i) for i in run.incidents if i.expect == "anomaly" and component == i.component]
        last = -FOLD_MIN
        for minute in sorted(m for key, minutes in run.alarms.items() if key.component == component for m in minutes):
            if not any(begin <= minute <= end + AFTER_MIN for begin, end in explained):
                if minute - last > FOLD_MIN:
                    false[component].append(minute)
                last = minute
    return found, false


def _span(run: Run, incident: Incident) -> tuple[int, int]:
    return (incident.start - run.start) // MINUTE_MS, (incident.end - run.start) // MINUTE_MS


def _found(run: Run, incident: Incident) -> Found:
    begin, end = _span(run, incident)
    of = {key: minutes for key, minutes in run.alarms.items() if key.component == incident.component}
    first = min((m for minutes in of.values() for m in minutes if begin <= m <= end + 5), default=None)
    if first is None:
        return Found(incident, None, named=False)
    off: dict[str, float] = defaultdict(float)
    for key in of:
        off[key.name] = max(off[key.name], float(run.scores[key][max(first - 4, 0) : first + 1].max()))
    top = sorted(off, key=lambda name: -off[name])[:3]
    delay = run.start / MINUTE_MS + first + 1 - incident.start / MINUTE_MS  # a minute is scored when it is over
    return Found(incident, delay, incident.feature in top)


def faults(seed: int) -> Simulated:
    """Five weeks; from the third on about one fault a component and workday."""
    start = midnight(date(2026, 3, 2))
    plan = [item for item in draw(seed, start, start + 35 * DAY_MS, LEARNING_DAYS) if item.kind in FAULTS]
    return simulate(seed, date(2026, 3, 2), 35, plan)


def leaks(seed: int) -> Simulated:
    """A slow leak from the third week on."""
    start = midnight(date(2026, 3, 2))
    how = {"measure": "success" if seed % 2 else "latency", "percent": 2, "days": 7}
    lgsp_alone = replace(RATES, visits=0, sign_ins=0, crawls=0, monitor=0)
    return simulate(
        seed, date(2026, 3, 2), 28, [Planned(start + 21 * DAY_MS + 8 * HOUR_MS, "slow_leak", how)], lgsp_alone
    )


def quiet(seed: int) -> Simulated:
    """Seven weeks with Tết in the sixth; a surge day, collector outages and a merge that were announced: nothing to find."""
    first = date(2026, 1, 12)
    start = midnight(first)

    def at(day: int, hour: int) -> int:
        return start + day * DAY_MS + hour * HOUR_MS

    plan = [
        Planned(at(24, 7), "surge", {"factor": 3}),
        Planned(at(22, 10), "collector_outage", {"stream": "otp.gateway"}),
        Planned(at(29, 14), "collector_outage", {"stream": "lgsp.gateway"}),
        Planned(at(42, 0), "merge"),
    ]
    return simulate(seed, first, 49, sorted(plan, key=lambda item: item.at))


def weeks_of(run: Run) -> Iterator[tuple[str, int]]:
    """Each week after learning, with what is special about it."""
    for week in range(LEARNING_DAYS // 7, run.days // 7):
        days = [datetime.fromtimestamp(run.start / 1000 + (week * 7 + day) * 86_400, ZONE).date() for day in range(7)]
        merged = any(i.kind == "merge" and _span(run, i)[0] // 10080 == week for i in run.incidents)
        yield "merge" if merged else "Tết" if any(day_kind(day) == "tet" for day in days) else "normal", week


@dataclass
class Tally:
    """What comes out of all simulated times at one budget."""

    found: list[Found] = field(default_factory=list)
    false: dict[str, list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )  # of each kind of week, each component
    announced: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, run: Run, is_quiet: bool) -> None:
        some, wrong = judge(run)
        self.found += some
        if not is_quiet:
            return
        components = sorted({key.component for key in run.alarms})
        for kind, week in weeks_of(run):
            self.false[kind] += [sum(m // 10080 == week for m in wrong[component]) for component in components]
        for incident in run.incidents:
            begin, end = _span(run, incident)
            inside = [m for m in wrong[incident.component] if begin <= m <= min(end, begin + 10080) + 30]
            self.announced[incident.kind] += len(inside)
        self.announced["Sundays"] += sum(_sunday(run, m) for minutes in wrong.values() for m in minutes)

    def report(self) -> Iterator[tuple[str, str]]:
        yield from _recall(self.found)
        for kind, counts in self.false.items():
            mean = f"{sum(counts) / len(counts):.2f} ({sum(counts)} in {len(counts)})"
            yield f"false incidents a component and {kind} week", mean
        for kind, count in self.announced.items():
            yield f"false incidents of what was announced: {kind}", str(count)


def report(seeds: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    tallies = {budget: Tally() for budget in BUDGETS}
    for seed in seeds:
        for scenario in (faults, leaks, quiet):
            simulated = scenario(seed)
            for budget, tally in tallies.items():
                tally.add(scored(simulated, budget), scenario is quiet)
    for budget, tally in tallies.items():
        yield "", ""
        yield f"budget of {budget:g} half hours a week and series", ""
        yield from tally.report()


def _sunday(run: Run, minute: int) -> bool:
    return datetime.fromtimestamp(run.start / 1000 + minute * 60, ZONE).weekday() == 6


def _recall(found: list[Found]) -> Iterator[tuple[str, str]]:
    for kind in sorted({one.incident.kind for one in found}):
        of = [one for one in found if one.incident.kind == kind]
        delays = [one.delay_min for one in of if one.delay_min is not None]
        text = f"{len(delays)} of {len(of)} found"
        if delays:
            text += f", after {median(delays):.0f} min (median; worst {max(delays):.0f})"
        if kind in WITHIN_MIN:
            text += f"; {sum(d <= WITHIN_MIN[kind] for d in delays)} within {WITHIN_MIN[kind]:.0f}"
        yield kind, text
    caught = [one for one in found if one.delay_min is not None]
    yield "recall", f"{len(caught) / len(found):.2f} ({len(caught)} of {len(found)})"
    yield (
        "injected feature among the top three",
        f"{sum(one.named for one in caught) / max(len(caught), 1):.2f} of those found",
    )


def main(seeds: tuple[int, ...] = HELD_OUT) -> list[tuple[str, str]]:
    return [
        ("seeds, all held out" if min(seeds) > 100 else "seeds for trying", ", ".join(map(str, seeds))),
        *report(seeds),
    ]


if __name__ == "__main__":
    for what, figure in main(tuple(map(int, sys.argv[1:])) or HELD_OUT):
        print(f"{what:62} {figure}")
