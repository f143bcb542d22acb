"""Of the injected suite: what counts as found, as false and as unknown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import NamedTuple

from soc.simulator import Incident
from soc.simulator.calendar import day_kind
from soc.simulator.line import MINUTE_MS, ZONE

LEARNING_DAYS, WEEK = 14, 10_080
AFTER_MIN = 180  # what still alarms so long after the end of an incident is its end: two hours, and the longest bucket
FOLD_MIN = 60  # alarms of a component that are closer are one incident
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
    "procedure.error_ratio": ("portal-procedure-errors",),
    "portal.latency": ("portal-latency", "portal-fast"),
}


class Key(NamedTuple):
    component: str
    definition: str
    group: tuple[str, ...]


class Alarm(NamedTuple):
    """Minutes since the begin. `minute`: in which it is known, when its bucket is closed; `first`: in which the first alarm of the
    same episode was. What alarmed before a fault is of something else, and does not find it."""

    minute: float
    key: Key
    first: float


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
    episodes: dict[tuple[Key, int], float] = field(default_factory=dict)
    """When each was first called about, by its series and when it began."""

    def call(self, minute: float, key: Key, began: int) -> None:
        self.calls.append(Alarm(minute, key, self.episodes.setdefault((key, began), minute)))


class Found(NamedTuple):
    incident: Incident
    delay_min: float | None  # until the first alarm of its component is known; None: never
    named: bool  # its feature is among the first three that alarm, within five minutes


def judge(run: Run, alarms: list[Alarm]) -> tuple[list[Found], dict[str, list[float]]]:
    """What was found, and the false incidents of each component: the minute in which each begins."""
    expected = [one for one in run.incidents if one.expect == "anomaly"]
    false: dict[str, list[float]] = defaultdict(list)
    last: dict[str, float] = {}
    for minute, key, _ in sorted(alarms):
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
        alarm
        for alarm in alarms
        if alarm.key.component == incident.component and begin < alarm.first and alarm.minute <= end + 5
    )
    if end - begin > 1440:  # whatever alarms in the days of a leak need not be about it
        of = [alarm for alarm in of if alarm.key.definition in measured_by]
    if not of:
        return Found(incident, None, named=False)
    first = of[0].minute
    names = list(dict.fromkeys(alarm.key.definition for alarm in of if alarm.minute <= first + 5))[:3]
    return Found(incident, first - begin, any(name in names for name in measured_by))


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
    beside: int = 0  # of what calls on for long after a fault, too
    announced: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, run: Run, alarms: list[Alarm], is_quiet: bool) -> None:
        found, wrong = judge(run, alarms)
        self.found += found
        if not is_quiet:
            self.beside += sum(map(len, wrong.values()))
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
        yield "  false incidents beside faults", str(self.beside)
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
