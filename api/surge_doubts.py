"""What of a declared surge looks like a slip. It is told and not refused: a surge may be declared before the first event."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING

from api.surges import Declared
from detector.series.definition import readable
from soc.errors import Busy, StoreUnavailable
from soc.model.calendar import day_of
from soc.model.org import EVERYTHING, Directory
from soc.model.surge import Surge
from soc.store.anomalies import SqliteAnomalies

if TYPE_CHECKING:
    from api.state import State


class SurgeDoubts:
    """`surges`: those that it is asked of, so that series are looked through once."""

    def __init__(self, directory: Directory, anomalies: SqliteAnomalies, surges: Collection[Surge], on: date) -> None:
        self._directory, self._on = directory, on
        self._orgs = {board.org for board in anomalies.counts(EVERYTHING)}
        self._running = readable(anomalies.running()[0])
        self._named = anomalies.named({name for surge in surges for name in surge.services})

    def of(self, surge: Surge) -> list[str]:
        found = [self._of_org(org) for org in surge.orgs]
        found += [self._of_service(surge, name) for name in surge.services]
        return [doubt for doubt in found if doubt]

    def _of_org(self, org: str) -> str:
        if len(self._directory):
            return self._directory.doubt(org, self._on) or ""
        if org in self._orgs:
            return ""
        return f"no series is of the organisation {org} yet: check that this is its agency code"

    def _of_service(self, surge: Surge, name: str) -> str:
        known = [
            self._running[board.definition]
            for board, one in self._named
            if one == name and self._covers(surge, board.org, board.definition)
        ]
        if any(definition.measure.is_volume for definition in known):
            return ""
        if known:
            return f"no volume is counted by {name}: leave services empty, or add a series that counts by it"
        return f"no volume of {name} is watched yet: check that it is spelled as in the logs"

    def _covers(self, surge: Surge, org: str, definition: str) -> bool:
        return definition in self._running and surge.covers(org, self._running[definition].system)


def doubts_of(state: State, declared: Collection[Declared], now: int) -> Mapping[str, list[str]]:
    """See `told`."""
    return told(state.organisations.directory(), state.anomalies, declared, now)


def told(
    directory: Directory, anomalies: SqliteAnomalies, declared: Collection[Declared], now: int
) -> Mapping[str, list[str]]:
    """By the id of the surge. Of what is over, or of others' organisations as well, nothing: who reads it could do nothing about it.
    Nothing where series cannot be read, either: the surge is declared all the same."""
    surges = [one.surge for one in declared if one.whole and one.surge.until > now]
    try:
        doubts = SurgeDoubts(directory, anomalies, surges, day_of(now))
        return {surge.id: doubts.of(surge) for surge in surges}
    except (Busy, StoreUnavailable):
        return {}
