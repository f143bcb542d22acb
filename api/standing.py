"""How sources are doing: the same words for the API, the console, the alarm and the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from api.tuning.history import Revision, revisions
from soc.complaint import Complaint
from soc.errors import ConfigError, Conflict, NotFound
from soc.model.calendar import Calendar
from soc.model.org import Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.silence import Expectation, Standing, standing
from soc.model.source import Source
from soc.store.base import PolicyStore, Stores

CALENDAR = ":calendar"  # the policy of the calendar; no source can have this name

# Asked at each look of several processes; an error names its policy, so each is said once a minute.
_unread = Complaint(structlog.get_logger(), "what is expected of a source cannot be read, the default holds")
_DEFAULT = Expectation()


def standings(stores: Stores, scope: Scope, now: int) -> list[Standing]:
    """Every source of the scope, by id. `now` in ms since 1970 UTC."""
    return _standings(stores, stores.sources.list(scope), now)


def standing_of(stores: Stores, source: Source, now: int) -> Standing:
    return _standings(stores, [source], now)[0]


def _standings(stores: Stores, sources: list[Source], now: int) -> list[Standing]:
    expectations, calendar = laid_down(stores.policies)
    health = stores.health.health()
    return [
        standing(source, health.get(source.id), expectations.get(source.id, _DEFAULT), calendar, now)
        for source in sources
    ]


def laid_down(policies: PolicyStore) -> tuple[Mapping[str, Expectation], Calendar]:
    """What is expected of the sources of which somebody has said something, and the calendar."""
    expectations, calendar = {}, Calendar()
    for policy in policies.list(PolicyKind.SILENCE):
        try:
            if policy.id == CALENDAR:
                calendar = Calendar.read("the calendar", policy.body or {})
            else:
                expectations[policy.id] = Expectation.read(f"source {policy.id}", policy.body or {})
        except ConfigError as error:  # written by a newer govsoc: one that cannot be read must not hide all others
            _unread.failed(error)
    return expectations, calendar


def expected_version(policies: PolicyStore, source_id: str) -> int:
    """Of what is laid down of a source; 0: nobody has said anything."""
    old = _latest(policies, source_id)
    return old.version if old else 0


def expected_history(policies: PolicyStore, source_id: str, scope: Scope) -> list[Revision]:
    """What was laid down of a source of that scope, oldest first, and what each time changed."""
    return revisions(policies.history(PolicyKind.SILENCE, source_id), scope, _DEFAULT.body())


def expect(
    policies: PolicyStore,
    source_id: str,
    changes: Mapping[str, object],
    *,
    by: str,
    now: int,
    version: int | None = None,
) -> Expectation:
    """Lay down some fields of what is expected of a source; the others stay, and None takes one back: an exemption with its reason.

    `version`: the one that was looked at, 0 where there was none; None: whichever there is. Raises `ConfigError` with the field that
    is wrong, and `Conflict` when somebody else changed it first.
    """
    old = _latest(policies, source_id)
    known = old.version if old else 0
    if version not in (None, known):
        raise Conflict("somebody else has changed what is expected of this source: look again")
    if changes.get("exempt_until", "") is None:
        changes = {**changes, "reason": None}
    new = Expectation.read(f"source {source_id}", {**((old and old.body) or {}), **changes})
    policies.put(Policy(PolicyKind.SILENCE, source_id, known + 1, new.body(), by, now, new.reason))
    return new


def rearrange(
    policies: PolicyStore, changed: Callable[[Calendar], Calendar], *, by: str, now: int, reason: str
) -> Calendar:
    """Lay down what `changed` makes of the calendar. Raises `Conflict` as above."""
    old = _latest(policies, CALENDAR)
    new = changed(Calendar.read("the calendar", old.body or {}) if old else Calendar())
    version = old.version + 1 if old else 1
    policies.put(Policy(PolicyKind.SILENCE, CALENDAR, version, new.body(), by, now, reason))
    return new


def _latest(policies: PolicyStore, id_: str) -> Policy | None:
    try:
        return policies.get(PolicyKind.SILENCE, id_)
    except NotFound:
        return None
