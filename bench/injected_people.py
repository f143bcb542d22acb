"""The quiet misuse of `injected_entities` in the observer: the kinds that come with govsoc, each with its own budget, ten a day together.

python -m bench injected_people; python -m bench.injected_people 101 102 ...
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from zoneinfo import ZoneInfo

from bench.collected import events_of
from bench.injected import HELD_OUT, label, midnight
from bench.injected_entities import DAYS, FIRST, SCENES, Scene, Tally, planned
from detector.people.definition import load
from detector.people.watch import Watch
from soc.model.event import Stored, iso
from soc.model.unusual import Unusual
from soc.service.process import relax_garbage_collection
from soc.simulator import Incident, World
from soc.simulator.line import DAY_MS

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_BATCH = 50_000  # between two commits: five seconds of a busy log


def shown(scene: Scene, seed: int) -> tuple[list[Unusual], list[Incident], float]:
    """What the crowds show of it, the truth, and how many events a second of CPU time they took."""
    start = midnight(FIRST)
    world = World(seed, start, scene.rates, planned(scene))
    watch, batch, taken, events = Watch(load().by_name, ZONE), list[Stored](), 0.0, 0
    items: list[Unusual] = []
    for event in events_of(world, start + DAYS * DAY_MS):
        batch.append(Stored.of(event))
        events += 1
        if len(batch) == _BATCH:
            began = time.process_time()
            items += watch.feed(batch)
            watch.changes()  # with what a commit has to write
            taken += time.process_time() - began
            batch.clear()
    items += watch.feed(batch)
    return items, world.incidents, events / max(taken, 1e-9)


def main(seeds: tuple[int, ...] = HELD_OUT[:1]) -> list[tuple[str, str]]:
    relax_garbage_collection()  # as the observer does
    figures = [(label(seeds), ", ".join(map(str, seeds)))]
    for scene in SCENES:
        tally, kinds, speeds = Tally(), Counter[str](), []
        for seed in seeds:
            items, incidents, speed = shown(scene, seed)
            kinds.update(one.people for one in items)
            speeds.append(speed)
            lines: list[dict[str, object]] = [
                {"time": iso(one.at), "entity": one.entity, "why": [{"feature": why.feature} for why in one.reasons]}
                for one in items
            ]
            tally.add(lines, incidents)
        figures.append((f"{scene.entity}: items", ", ".join(f"{name} {count}" for name, count in kinds.items()) or "0"))
        figures += [(what.split(",")[0], figure) for what, figure in tally.report()]
        figures.append(("events a second of CPU time", f"{min(speeds):,.0f}"))
    return figures


if __name__ == "__main__":
    for what, figure in main(tuple(map(int, sys.argv[1:])) or HELD_OUT[:1]):
        print(f"{what:62} {figure}")
