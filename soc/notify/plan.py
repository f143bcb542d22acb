"""What is to be sent, when, and together with what: pure decisions. Time and chance are arguments, `worker` does what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

from soc.model.alert import Alert, Status
from soc.model.delivery import Delivery, DeliveryState, delivery_id
from soc.notify.route import Route

MINUTE = 60_000
HOUR = 60 * MINUTE
GIVE_UP_MS = 24 * HOUR
RAISED = "raised"
# The longest pause is not much longer than a restart of the other side: what waits arrives soon after it is back.
_FIRST_PAUSE_MS = 30_000
_LONGEST_PAUSE_MS = 10 * MINUTE
_JITTER = 0.2
_MOST_DOUBLINGS = 10


def made(alert: Alert, routes: Iterable[Route], now: int) -> list[Delivery]:
    """The deliveries that a new alert makes. One that people have closed already is no news."""
    if alert.triage.status is Status.CLOSED:
        return []
    return [
        Delivery(
            delivery_id(route.id, alert.id, RAISED),
            route.id,
            alert.id,
            alert.org,
            RAISED,
            created_at=now,
            next_at=now + route.digest_minutes * MINUTE,
            give_up_at=now + GIVE_UP_MS,
        )
        for route in routes
        if route.wants(alert)
    ]


def messages(pending: Sequence[Delivery], route: Route, sent: int, now: int) -> list[list[Delivery]]:
    """Which of a route's pending deliveries go now, one list a message, oldest first. `sent`: messages of the last hour.

    - After a try that failed the whole route rests until that one is due again.
    - What has been in a message goes in the same one again: the other side may have had it, and knows it by its id.
    - With a digest, everything else goes as soon as the oldest has waited long enough.
    - The last message that the hour has room for takes all that is left, so nothing waits for want of messages but a whole hour's
      worth of them.
    """
    free = [d for d in pending if d.claimed_until <= now]
    room = route.per_hour - sent
    if room <= 0 or any(d.attempts and d.next_at > now for d in free):
        return []
    begun: dict[str, list[Delivery]] = {}
    for delivery in free:
        if delivery.message:
            begun.setdefault(delivery.message, []).append(delivery)
    again = list(begun.values())[:room]
    return again + _fresh([d for d in free if not d.message], route, room - len(again), now)


def _fresh(free: Sequence[Delivery], route: Route, room: int, now: int) -> list[list[Delivery]]:
    """As `messages`, for what has been in none yet."""
    due = [d for d in free if d.next_at <= now]
    if not due or room <= 0:
        return []
    if route.digest_minutes:
        return [list(free)]
    alone = due if len(due) <= room else due[: room - 1]
    together = due[len(alone) :]
    return [[d] for d in alone] + ([together] if together else [])


def claimed(deliveries: Iterable[Delivery], until: int, message: str = "") -> list[Delivery]:
    """`message`: the id of the one that they go in, unless they have been in one; none: they are not sent for now."""
    return [replace(d, claimed_until=until, message=d.message or message) for d in deliveries]


def sent(deliveries: Iterable[Delivery], now: int) -> list[Delivery]:
    return [
        replace(d, state=DeliveryState.SENT, attempts=d.attempts + 1, claimed_until=0, error="", sent_at=now)
        for d in deliveries
    ]


def failed(deliveries: Iterable[Delivery], error: str, sent_at: int | None = None) -> list[Delivery]:
    """Given up: trying again would come to the same. `sent_at`: when some of the receivers took it, where some did."""
    return [
        replace(
            d,
            state=DeliveryState.FAILED,
            attempts=d.attempts + 1,
            claimed_until=0,
            error=error,
            sent_at=sent_at or d.sent_at,
        )
        for d in deliveries
    ]


def put_off(deliveries: Sequence[Delivery], error: str, now: int, chance: Random) -> list[Delivery]:
    """To be tried again later, all at the same time, since it was for the same reason; given up after a day."""
    tries = max((d.attempts for d in deliveries), default=0)
    next_at = now + pause_ms(tries, chance)
    kept = [d for d in deliveries if next_at < d.give_up_at]
    too_old = [d for d in deliveries if next_at >= d.give_up_at]
    waiting = [replace(d, attempts=d.attempts + 1, next_at=next_at, claimed_until=0, error=error) for d in kept]
    return waiting + failed(too_old, error)


def again(delivery: Delivery, now: int) -> Delivery:
    """A person wants what was given up to be tried for one more day. It goes in a message of its own: under the id of the one before,
    which may have told of others as well, it could be dropped as known."""
    return replace(
        delivery,
        state=DeliveryState.PENDING,
        attempts=0,
        next_at=now,
        give_up_at=now + GIVE_UP_MS,
        claimed_until=0,
        message="",
    )


def pause_ms(tries: int, chance: Random) -> int:
    """Before the next try, after so many before this one: doubled each time up to a bound, and never the same for two."""
    pause = min(_FIRST_PAUSE_MS << min(tries, _MOST_DOUBLINGS), _LONGEST_PAUSE_MS)
    return int(pause * chance.uniform(1 - _JITTER, 1 + _JITTER))
