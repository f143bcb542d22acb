"""How long alerts wait: until somebody takes them up, and until they are closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from soc.model.alert import Alert
from soc.model.finding import LEVELS
from soc.model.org import Scope
from soc.store.base import AlertFilter, AlertStore

MOST_ALERTS = 20_000
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Times:
    """Of the alerts of one level. Seconds, None where there is nothing to take them of; `waiting`: nobody has taken them up."""

    level: str
    raised: int
    waiting: int
    closed: int
    acknowledge_median_s: float | None
    acknowledge_p90_s: float | None
    resolve_median_s: float | None
    resolve_p90_s: float | None


def times(store: AlertStore, scope: Scope, since: int) -> tuple[list[Times], bool]:
    """Of the alerts raised since then (ms), the worst level first; and whether those are all: the latest `MOST_ALERTS` count."""
    alerts = list(_raised(store, scope, since))
    whole = len(alerts) < MOST_ALERTS
    by_level = ((level, [alert for alert in alerts if alert.level == level]) for level in reversed(LEVELS))
    return [_times(level, some) for level, some in by_level if some], whole


def _raised(store: AlertStore, scope: Scope, since: int) -> Iterator[Alert]:
    cursor, count = None, 0
    while count < MOST_ALERTS:
        page = store.list(AlertFilter(), scope, cursor=cursor, limit=_PAGE)
        for alert in page.items:
            if alert.raised_at < since:
                return
            yield alert
        count += len(page.items)
        if (cursor := page.next) is None:
            return


def _times(level: str, alerts: Sequence[Alert]) -> Times:
    taken = [(at - alert.raised_at) / 1000 for alert in alerts if (at := alert.triage.acknowledged_at) is not None]
    closed = [(at - alert.raised_at) / 1000 for alert in alerts if (at := alert.triage.closed_at) is not None]
    waiting = len(alerts) - len(taken)
    return Times(level, len(alerts), waiting, len(closed), *_middle_and_tail(taken), *_middle_and_tail(closed))


def _middle_and_tail(seconds: Sequence[float]) -> tuple[float | None, float | None]:
    if not seconds:
        return None, None
    ordered = sorted(seconds)
    return median(ordered), ordered[min(len(ordered) - 1, round(0.9 * len(ordered)))]
