"""The injected suite's other half: what `soc entities` shows of the quiet misuse of a simulated province, one budget a day.

The command as it is, over the events of five weeks, which parser and masker made of native lines; misuse begins in the third. The
truth is read afterwards.

python -m bench injected_entities; python -m bench.injected_entities 101 102 ...
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from statistics import mean, median

import orjson

from bench.collected import events_of
from bench.injected import HELD_OUT, label, midnight
from bench.injected_judge import LEARNING_DAYS
from soc.simulator import Incident, Planned, Rates, World
from soc.simulator.behaviours import USUAL_HOUR
from soc.simulator.calendar import day_kind
from soc.simulator.lgsp import SERVICES
from soc.simulator.line import DAY_MS, HOUR_MS, ZONE

FIRST, DAYS, PER_DAY = date(2026, 3, 2), 35, 10


@dataclass(frozen=True)
class Scene:
    """Who is watched by which fields, on what traffic, and which misuse there is: each kind on days of its own."""

    entity: str
    what: str
    rates: Rates
    kinds: tuple[str, ...]


SCENES = (
    Scene(
        "user.id",
        "govsoc.lgsp.service_code,govsoc.lgsp.subject,govsoc.subject.walk,http.response.status_code,govsoc.lgsp.records",
        Rates(0, 0, 0, 0, 220, 0, 0, 0),
        ("officer_reads_many", "off_hours_lookups", "id_walk", "mass_export"),
    ),
    Scene(
        "govsoc.lgsp.consumer",
        "govsoc.lgsp.service_code,source.ip,http.response.status_code",
        Rates(0, 0, 0, 250, 110, 0, 0, 0),
        ("new_pair", "key_elsewhere"),
    ),
    Scene(
        "source.ip", "govsoc.otp.phone,event.action,event.outcome", Rates(0, 0, 200, 0, 0, 0, 0, 0), ("slow_pumping",)
    ),
    Scene(
        "source.ip",
        "url.path,http.response.status_code,http.request.method",
        Rates(50, 1, 0, 0, 0, 0, 0, 0),
        ("file_walk", "credential_stuffing"),
    ),
)
# What the reasons of an item may be about for the injected feature to be among them: words of their names.
MEANT = {
    "user.distinct_citizens": ("subject", "events"),
    "user.hour": ("hour",),
    "consumer.new_service": ("service_code",),
    "user.sequential_ids": ("subject", "status_code=404", "sequential"),
    "client.sequential_ids": ("url.path", "sequential"),
    "client.distinct_phones": ("phone",),
    "client.failures": ("status_code=401", "outcome=failure"),
    "user.records": ("records",),
    "consumer.new_address": ("source.ip",),
}


@dataclass
class Tally:
    found: dict[str, list[bool]] = field(default_factory=dict)
    delays_min: list[float] = field(default_factory=list)
    named: list[bool] = field(default_factory=list)
    precision: list[float] = field(default_factory=list)  # of days with misuse
    clean: list[int] = field(default_factory=list)  # items on workdays without

    def add(self, items: list[dict[str, object]], incidents: list[Incident]) -> None:
        by_day: dict[int, list[dict[str, object]]] = {}
        for item in items:
            by_day.setdefault((_ms(item) - midnight(FIRST)) // DAY_MS, []).append(item)
        busy = {(incident.start - midnight(FIRST)) // DAY_MS: incident for incident in incidents}
        for day in range(LEARNING_DAYS, DAYS):
            shown = by_day.get(day, [])
            if incident := busy.get(day):
                self._day(incident, shown + by_day.get(day + 1, []), shown)
            elif day - 1 not in busy and _is_workday(day):
                self.clean.append(len(shown))

    def _day(self, incident: Incident, later: list[dict[str, object]], shown: list[dict[str, object]]) -> None:
        about = set(incident.who.values())
        hits = [
            item
            for item in later
            if item["entity"] in about and incident.start <= _ms(item) <= incident.end + 2 * HOUR_MS
        ]
        self.found.setdefault(incident.kind, []).append(bool(hits))
        if shown:
            self.precision.append(sum(item["entity"] in about for item in shown) / len(shown))
        if hits:
            self.delays_min.append((_ms(hits[0]) - incident.start) / 60_000)
            top = [str(why["feature"]) for item in hits for why in item["why"][:3]]  # type: ignore[index]
            self.named.append(any(word in name for name in top for word in MEANT[incident.feature]))

    def report(self) -> Iterator[tuple[str, str]]:
        for kind, hits in sorted(self.found.items()):
            yield kind, f"{sum(hits)} of {len(hits)} found"
        every = [hit for hits in self.found.values() for hit in hits]
        yield "recall", f"{mean(every):.2f} ({sum(every)} of {len(every)})"
        if self.delays_min:
            yield "delay", f"{median(self.delays_min):.0f} min (median; worst {max(self.delays_min):.0f})"
            yield "injected feature among the top three", f"{mean(self.named):.2f} of those found"
        if self.precision:
            yield f"precision of what is shown on days with misuse, {PER_DAY} at most", f"{mean(self.precision):.2f}"
        most = Counter(self.clean).most_common(1)[0][0] if self.clean else 0
        yield (
            "items on a clean workday",
            f"{mean(self.clean or [0]):.1f} (mean; most often {most}, worst {max(self.clean or [0])})",
        )


def _ms(item: dict[str, object]) -> int:
    return int(datetime.fromisoformat(str(item["time"])).timestamp() * 1000)


def _is_workday(day: int) -> bool:
    return day_kind(datetime.fromtimestamp((midnight(FIRST) + day * DAY_MS) / 1000, ZONE).date()) == "workday"


def planned(scene: Scene) -> list[Planned]:
    """Each kind again and again, every second workday after the time of learning."""
    days = [day for day in range(LEARNING_DAYS, DAYS - 1) if _is_workday(day)][::2]
    kinds = [scene.kinds[i % len(scene.kinds)] for i in range(len(days))]
    start, new = midnight(FIRST), iter(SERVICES)  # a pair is new once
    return [
        Planned(
            start + day * DAY_MS + USUAL_HOUR.get(kind, 10) * HOUR_MS,
            kind,
            {"service": next(new).code} if kind == "new_pair" else {},
        )
        for day, kind in zip(days, kinds, strict=True)
    ]


def shown(scene: Scene, seed: int) -> tuple[list[dict[str, object]], list[Incident]]:
    """What the command prints of it, and the truth."""
    start = midnight(FIRST)
    world = World(seed, start, scene.rates, planned(scene))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "events.ndjson")
        with file.open("wb") as out:
            for event in events_of(world, start + DAYS * DAY_MS):
                out.write(orjson.dumps(event.fields) + b"\n")
        command = [sys.executable, "-m", "soc", "entities", "--entity", scene.entity, "--what", scene.what]
        options = ["--per-day", str(PER_DAY), "--zone", "Asia/Ho_Chi_Minh", str(file)]
        done = subprocess.run([*command, *options], capture_output=True, check=True)
    return [orjson.loads(line) for line in done.stdout.splitlines()], world.incidents


def main(seeds: tuple[int, ...] = HELD_OUT) -> list[tuple[str, str]]:
    tally = Tally()
    for seed in seeds:
        for scene in SCENES:
            tally.add(*shown(scene, seed))
    return [(label(seeds), ", ".join(map(str, seeds))), *tally.report()]


if __name__ == "__main__":
    for what, figure in main(tuple(map(int, sys.argv[1:])) or HELD_OUT):
        print(f"{what:62} {figure}")
