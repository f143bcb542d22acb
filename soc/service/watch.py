"""The alarm for silent sources: looks at every source now and then, notes who fell silent and which rules are blind for it, and
takes it back when records come again. Any number of processes may watch the same store."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC

import structlog

from api.standing import standings
from rules.desk.blind import blind
from rules.desk.tuning import Tuning
from soc import telemetry
from soc.complaint import Complaint
from soc.model.calendar import DAY_MS
from soc.model.org import EVERYTHING
from soc.model.rule import RuleDoc
from soc.model.silence import Freshness, Outage, Standing, outage_id
from soc.service.looking import keep_looking
from soc.service.tuning import read_tuning
from soc.store.base import KEPT_DAYS, Stores

log = structlog.get_logger("watch")

EVERY_S = 20.0  # an alarm is promised within the limit of a source and a minute


class Watch:
    """`clock`: ms since 1970 UTC."""

    def __init__(self, stores: Stores, clock: Callable[[], int]) -> None:
        self._stores = stores
        self._clock = clock
        self._tidied_at = 0

    def run(self, stop: threading.Event, every_s: float = EVERY_S) -> None:
        """Look again and again until told to stop, whatever one look meets."""
        complaint = Complaint(log, "cannot look at the sources, trying again", "the sources are looked at again")
        keep_looking(self.look, every_s, complaint, stop, telemetry.WATCH_FAILURES)

    def look(self) -> None:
        """One look. Repeated, it changes nothing. May raise what a store raises; then the next look does what is missing."""
        now = self._clock()
        known = standings(self._stores, EVERYTHING, now)
        silent = {outage_id(one.source.id, one.last): one for one in known if one.state is Freshness.SILENT}
        noted = [o for o in self._stores.outages.list(EVERYTHING, since=now) if o.cleared_at is None]
        self._note({id_: one for id_, one in silent.items() if id_ not in {o.id for o in noted}}, known, now)
        for outage in noted:
            if outage.id not in silent and self._stores.outages.clear(outage.id, now):
                log.info("a source is no longer silent", source=outage.source, org=outage.org)
        if now - self._tidied_at >= DAY_MS:
            self._stores.outages.drop(now - KEPT_DAYS * DAY_MS)
            self._tidied_at = now

    def _note(self, new: Mapping[str, Standing], known: list[Standing], now: int) -> None:
        if not new:
            return
        rules, live = self._stores.alerts.running()[0], _live(known)
        tuning = read_tuning(self._stores.policies, UTC)  # of which only the settings are asked, no times
        for id_, one in new.items():
            source = one.source
            outage = Outage(id_, source.id, source.org, one.last, now, _blind(rules, one, live, tuning))
            if self._stores.outages.open(outage):
                log.warning("a source is silent", source=source.id, org=source.org, blind_rules=len(outage.blind))


def _live(known: list[Standing]) -> Mapping[str, set[str]]:
    """Organisation -> the types of its sources that send."""
    types: dict[str, set[str]] = defaultdict(set)
    for one in known:
        if one.state in (Freshness.LIVE, Freshness.LATE):
            types[one.source.org].add(one.source.type)
    return types


def _blind(rules: Sequence[RuleDoc], one: Standing, live: Mapping[str, set[str]], tuning: Tuning) -> tuple[str, ...]:
    """Of the rules that run for its organisation; a correlation runs where one of its base rules does."""
    org = one.source.org
    running = [
        rule
        for rule in rules
        if tuning.runs(rule.id, org) and (not rule.bases or any(tuning.runs(base, org) for base in rule.bases))
    ]
    return tuple(rule.id for rule in blind(running, one.source.type, live.get(org, ())))
