"""A small office for the tests: people with habits, by the clock of their events."""

from __future__ import annotations

import random
from collections.abc import Iterator

from detector.entities.bounds import Bounds
from detector.entities.budget import Budget
from detector.entities.profiles import Profiles

BUCKET_MS = 900_000
DAY_MS = 86_400_000
MONDAY_MS = 1_772_409_600_000  # 2026-03-02
WHAT = ("event.action", "destination.ip", "govsoc.lgsp.subject")

Act = tuple[int, str, dict[str, object]]


def office(days: int, seed: int = 1, people: int = 30) -> Iterator[Act]:
    """Each of them on some ten addresses, some twenty acts an hour, from eight to five on workdays; in order of time."""
    chance = random.Random(seed)
    for day in range(days):
        if day % 7 >= 5:
            continue
        acts: list[Act] = []
        for person in range(people):
            for _ in range(chance.randrange(120, 200)):
                at = MONDAY_MS + day * DAY_MS + int(chance.uniform(8, 17) * 3_600_000)
                acts.append((at, f"u{person:02d}", usual(chance, person)))
        yield from sorted(acts, key=lambda act: act[0])


def usual(chance: random.Random, person: int) -> dict[str, object]:
    return {
        "event.action": chance.choice(("read", "write", "logon")),
        "destination.ip": f"10.0.0.{(person + chance.randrange(4)) % 12}",
        "govsoc.lgsp.subject": f"c{chance.randrange(100_000)}",
    }


def profiles(*, per_day: int = 10, bounds: Bounds | None = None, field: str = "user.id") -> Profiles:
    return Profiles(field, WHAT, Budget(per_day), bucket_ms=BUCKET_MS, bounds=bounds)
