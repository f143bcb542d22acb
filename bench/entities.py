"""`soc entities` on organisations that it was not made on, beside raw counts and chance."""

from __future__ import annotations

import random
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median

import orjson

from bench.organisation import BEGIN_S, DAY_S, Organisation
from detector.entities.budget import Budget
from detector.entities.stream import stream_of
from soc.service.process import relax_garbage_collection

WHAT = ("event.action", "event.outcome", "destination.ip", "destination.port", "process.name", "govsoc.lgsp.subject")
HELD_OUT = range(1000, 1006)
_PER_DAY = 10
CHANCE = random.Random(1)
_BUCKET_S = 900
Shown = tuple[int, str, tuple[str, ...]]  # start of the bucket in buckets, entity, features


@dataclass
class Outcome:
    """Over some organisations. Shares are of what there was."""

    right: int = 0
    shown: int = 0
    phases: int = 0
    hit: int = 0
    top3: int = 0
    delays: list[float] = field(default_factory=list)
    clean: list[int] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, org: Organisation, shown: Iterable[Shown]) -> None:
        """`kind`: which field the entities are of. Only days after the first five count: attacks are there."""
        items = [(bucket, entity, why, int((bucket * _BUCKET_S - BEGIN_S) // DAY_S)) for bucket, entity, why in shown]
        days = Counter(day for *_, day in items)
        self.clean += [days[day] for day in range(5, org.days) if day not in org.attack_days]
        hits: dict[int, tuple[int, bool]] = {}
        for bucket, entity, why, day in items:
            of = [
                at for at, phase in enumerate(org.phases) if bucket in phase.buckets and entity in phase.entities[kind]
            ]
            if day in org.attack_days:
                self.shown += 1
                self.right += bool(of)
            if not of and day >= 5:
                self.wrong[why[0] if why else "?"] += 1
            for at in of:
                named = any(part in feature for feature in why[:3] for part in org.phases[at].feature)
                if at not in hits or (named and not hits[at][1] and hits[at][0] == bucket):
                    hits[at] = bucket, named
        self.phases += len(org.phases)
        self.hit += len(hits)
        self.top3 += sum(named for _, named in hits.values())
        self.delays += [(bucket + 1) * _BUCKET_S - org.phases[at].first_s for at, (bucket, _) in hits.items()]
        self.missed.update(phase.kind for at, phase in enumerate(org.phases) if at not in hits)

    def row(self) -> str:
        delay = f"{median(self.delays) / 60:.0f} min" if self.delays else "-"
        return (
            f"precision {self.right / max(self.shown, 1):.2f}, phases {self.hit} of {self.phases}, delay {delay}, "
            f"clean day {sum(self.clean) / max(len(self.clean), 1):.1f} (most {max(self.clean, default=0)}), "
            f"injected in top 3 {self.top3 / max(self.hit, 1):.2f}"
        )


def ours(kind: str, events: list[dict[str, object]]) -> list[Shown]:
    stream = stream_of([kind], WHAT, Budget(_PER_DAY), _BUCKET_S * 1000)
    items = [item for event in events for item in stream.feed(event)]
    items += stream.end()
    return [(item.time // 1000 // _BUCKET_S, item.entity, tuple(why.feature for why in item.why)) for item in items]


def _ranked(kind: str, org: Organisation, merit: Callable[[int], float]) -> list[Shown]:
    """The ten greatest of each day, known only at its end: an advantage that ours does not have."""
    counts: Counter[tuple[int, str]] = Counter((int(at // _BUCKET_S), str(event[kind])) for at, event, _ in org.events)
    days: dict[int, list[tuple[float, int, str]]] = defaultdict(list)
    for (bucket, entity), count in counts.items():
        days[int((bucket * _BUCKET_S - BEGIN_S) // DAY_S)].append((merit(count), bucket, entity))
    return [
        (bucket, entity, ()) for rows in days.values() for _, bucket, entity in sorted(rows, reverse=True)[:_PER_DAY]
    ]


def compared(seeds: Iterable[int], kind: str) -> dict[str, Outcome]:
    outcomes = {"ours": Outcome(), "raw counts": Outcome(), "chance": Outcome()}
    for seed in seeds:
        org = Organisation(seed)
        events = [event for _, event, _ in org.run()]
        outcomes["ours"].add(kind, org, ours(kind, events))
        outcomes["raw counts"].add(kind, org, _ranked(kind, org, lambda count: count))
        outcomes["chance"].add(kind, org, _ranked(kind, org, lambda _: CHANCE.random()))
    return outcomes


def speed() -> list[tuple[str, str]]:
    """JSON lines to items, one core, by process time; the process as the command sets it up."""
    org = Organisation(1)
    lines = [orjson.dumps(event) for _, event, _ in org.run()]
    relax_garbage_collection()
    rows = []
    for kind in ("user.id", "user.id,source.ip"):
        stream = stream_of(kind.split(","), WHAT, Budget(_PER_DAY), _BUCKET_S * 1000)
        began = time.process_time()
        for line in lines:
            stream.feed(orjson.loads(line))
        list(stream.end())
        rows.append((f"{kind}, {len(lines):,} events, events/s", f"{len(lines) / (time.process_time() - began):,.0f}"))
    rows.append(
        (
            "memory of this process, the events included, MB",
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f}",
        )
    )
    return rows


def main(seeds: Iterable[int] = HELD_OUT) -> list[tuple[str, str]]:
    return [(f"user.id: {name}", outcome.row()) for name, outcome in compared(list(seeds), "user.id").items()] + speed()
