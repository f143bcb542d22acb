"""An office that looks citizens up through LGSP: officers with habits, made from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from streams import START, stored

from soc.model.event import Stored

HOUR, DAY = 3_600_000, 86_400_000
CURIOUS = "canbo.07"


def lookups(
    days: int,
    seed: int = 1,
    *,
    officers: int = 12,
    curious_on: int | None = None,
    walks_on: int | None = None,
    org: str = "hungyen",
    start: int = START,
) -> Iterator[Stored]:
    """Workdays from 8 to 17 (START is 7:00 of a Monday in Viet Nam), some forty lookups each; on one day `CURIOUS` makes five times as
    many, of citizens one after the other; on another it makes as many as ever, of which the ids follow each other."""
    rng, n = Random(seed), 0
    for day in range(days):
        acts = [
            (start + day * DAY + int(rng.uniform(1, 10) * HOUR), f"canbo.{number:02d}")
            for number in range(officers)
            for _ in range(rng.randrange(32, 48))
        ]
        if day == curious_on:
            acts += [(start + day * DAY + 3 * HOUR + at * 30_000, CURIOUS) for at in range(200)]
        walked = 0
        for ts, user in sorted(acts):
            n += 1
            walked += day == walks_on and user == CURIOUS
            walk = {"govsoc__subject__walk": walked} if walked >= 3 and user == CURIOUS else {}
            number = int(user[-2:])
            yield stored(
                ts, n, "lgsp.gateway", org, user__id=user, govsoc__lgsp__service_code=f"DV{(number + rng.randrange(2)) % 5}",
                govsoc__lgsp__consumer="motcua", govsoc__lgsp__subject=f"cccd_{rng.randrange(10**6):06d}",
                http__response__status_code=200, govsoc__lgsp__records=1, source__ip="10.1.2.3", **walk,
            )  # fmt: skip
