"""Small streams of events for tests of series, made from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from soc.model.event import Event, Fields, Stored, event_id

START = 1_772_409_600_000  # 2026-03-02T00:00:00Z, a Monday
MINUTE = 60_000
CARRIERS = ("viettel", "vinaphone", "mobifone", "vietnamobile", "gmobile")
LOST = {"viettel": (1500, 1530, 0.4)}  # for `receipts`: half an hour, after a day of learning
DELIVERY = """
name: delivery
system: otp
titles: {vi: "Không đến", en: "Not delivered"}
dataset: otp.gateway
where: govsoc.otp.event:dlr
group_by: [govsoc.otp.carrier]
measure: ratio
hit: event.outcome:failure
unit: share
direction: high
"""


def stored(
    ts: int, n: int, dataset: str = "otp.gateway", org: str = "hungyen", source: str = "s1", **fields: object
) -> Stored:
    """`n` makes it another event than others of the same time."""
    id_ = event_id(ts, source, str(n), "")
    document: Fields = {
        "govsoc.source.id": source,
        **{name.replace("__", "."): value for name, value in fields.items()},
    }  # type: ignore[dict-item]
    return Stored.of(Event(id_, ts, org, dataset, document))


def receipts(
    minutes: int, a_minute: int, seed: int, lost: dict[str, tuple[int, int, float]] | None = None, start: int = START
) -> Iterator[Stored]:
    """Delivery receipts: 2 % fail. `lost`: carrier -> from and to which minute, and which share fails then."""
    rng, n = Random(seed), 0
    for minute in range(minutes):
        for at in sorted(rng.randrange(MINUTE) for _ in range(a_minute)):
            n += 1
            carrier = CARRIERS[rng.randrange(len(CARRIERS))]
            since, until, share = (lost or {}).get(carrier, (0, 0, 0.0))
            failed = rng.random() < (share if since <= minute < until else 0.02)
            yield stored(
                start + minute * MINUTE + at, n, govsoc__otp__event="dlr", govsoc__otp__carrier=carrier,
                event__outcome="failure" if failed else "success", govsoc__otp__latency_ms=rng.lognormvariate(8, 0.5),
            )  # fmt: skip
