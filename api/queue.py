"""The alert queue as people filter it: what the store filters by, and words of the title in any language or of the entity."""

from __future__ import annotations

from collections.abc import Callable

from api.state import State
from soc.model.alert import Alert
from soc.model.org import Scope
from soc.query.fold import fold
from soc.store.base import AlertFilter, Page

_MOST_PAGES = 40


def find_alerts(
    state: State, where: AlertFilter, scope: Scope, *, text: str = "", cursor: str | None = None, limit: int = 50
) -> Page[Alert]:
    """Most recently raised first. With `text`, a page may be short or empty and still have a `next`: then go on from there.

    Diacritics and case do not count: `hung yen` finds `Hưng Yên`.
    """
    matches = matching(state, text)
    found: list[Alert] = []
    for _ in range(_MOST_PAGES if text else 1):
        # As many as are still missing: then no page is longer than asked for, and the store's cursor stays exact.
        page = state.stores.alerts.list(where, scope, cursor=cursor, limit=limit - len(found))
        found += [alert for alert in page.items if matches(alert)]
        cursor = page.next
        if cursor is None or len(found) >= limit:
            break
    return Page(tuple(found), cursor)


def matching(state: State, text: str) -> Callable[[Alert], bool]:
    """Whether an alert has all words of the text."""
    words = fold(text).split()
    return lambda alert: not words or all(word in _text(state, alert) for word in words)


def _text(state: State, alert: Alert) -> str:
    rule = state.rules.get(alert.rule_hash)
    titles = rule.titles.values() if rule else ()
    return fold(" ".join((alert.title, *titles, alert.entity, alert.org, alert.id)))
