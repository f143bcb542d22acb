"""New alerts join the open incident that has others about the same, so that who works on it sees them without looking.

Only alerts raised after it was opened, and never in an incident: what a person left or took out stays out.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set

import structlog

from api.errors import Refused
from api.incidents import Desk
from soc.complaint import Complaint
from soc.errors import Busy, Conflict, NotFound
from soc.model.account import Account, Role
from soc.model.alert import Alert, Status
from soc.model.calendar import DAY_MS
from soc.model.incident import Incident, IncidentStatus
from soc.model.org import EVERYTHING
from soc.store.base import AlertFilter, Stores
from soc.store.paging import every

ROBOT = Account("govsoc", Role.ANALYST, EVERYTHING)
LOOK_S = 5.0
_PAGE = 200
_AT_ONCE = 100
_FIRST_MS = DAY_MS  # how far back the first look goes: what came while nobody looked
_LATE_MS = 60_000  # an alert may be seen later than others that were raised after it
_NEAR_MS = 3 * DAY_MS
_log = structlog.get_logger("incidents")

_About = tuple[str, str, str]


class Gatherer:
    """Looks at what was raised since the last look. Safe to run in several processes: a join may be repeated."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._back_to: int | None = None
        self._done: set[str] = set()  # of those raised since then: what was to be done about them is done

    def look(self, now: int) -> int:
        """One look (`now`: ms); returns how many alerts joined. Raises what the stores raise; the next look then does the rest."""
        back_to = now - _FIRST_MS if self._back_to is None else self._back_to
        raised = list(self._raised_since(back_to))
        fresh = [alert for alert in raised if alert.id not in self._done and _is_free(alert)]
        joined, again = 0, list[Alert]()
        for incident, alerts in self._belonging(fresh).items():
            for some in (alerts[at : at + _AT_ONCE] for at in range(0, len(alerts), _AT_ONCE)):
                try:
                    joined += self._join(incident, some, now)
                except Busy:
                    again += some
                else:
                    self._done.update(alert.id for alert in some)
        self._done = {alert.id for alert in raised} - {alert.id for alert in again}
        newest = max((alert.raised_at for alert in raised), default=back_to + _LATE_MS)
        self._back_to = min([newest - _LATE_MS, *(alert.raised_at for alert in again)])
        return joined

    def _raised_since(self, since: int) -> Iterator[Alert]:
        for alert in self._all(AlertFilter()):
            if alert.raised_at < since:
                return
            yield alert

    def _all(self, where: AlertFilter) -> Iterator[Alert]:
        return every(lambda at: self._stores.alerts.list(where, EVERYTHING, cursor=at, limit=_PAGE))

    def _belonging(self, alerts: Sequence[Alert]) -> Mapping[str, list[Alert]]:
        """By incident, those of the alerts that belong to it. Oldest first, as they would have come one by one."""
        found: defaultdict[str, list[Alert]] = defaultdict(list)
        known = self._open_about({alert.org for alert in alerts}) if alerts else {}
        for alert in reversed(alerts):
            near = (incident for other, incident in known.get(_about(alert), ()) if _is_near(alert, other))
            incident = next((one for one in near if one.created_at < alert.raised_at), None)
            if incident and all(line.field != "incident" for line in self._stores.triage.history(alert.id)):
                found[incident.id].append(alert)
        return found

    def _open_about(self, orgs: Set[str]) -> Mapping[_About, list[tuple[Alert, Incident]]]:
        """What the open incidents of the organisations are about: their alerts, the latest first."""
        found: defaultdict[_About, list[tuple[Alert, Incident]]] = defaultdict(list)
        incidents, status = self._stores.incidents, IncidentStatus.OPEN
        for incident in every(lambda at: incidents.list(EVERYTHING, status=status, cursor=at, limit=_PAGE)):
            if not orgs.isdisjoint(incident.orgs):
                for alert in self._all(AlertFilter(incident=incident.id)):
                    found[_about(alert)].append((alert, incident))
        for pairs in found.values():
            pairs.sort(key=lambda pair: pair[0].raised_at, reverse=True)
        return found

    def _join(self, incident_id: str, alerts: Sequence[Alert], now: int) -> int:
        """How many of them joined; those that may not are tried alone, so that they keep no other out."""
        try:
            Desk(self._stores, ROBOT, now, None).add(incident_id, [alert.id for alert in alerts])
        except (Conflict, NotFound, Refused):  # a person was first
            return sum(self._join(incident_id, [alert], now) for alert in alerts) if len(alerts) > 1 else 0
        return len(alerts)


def _is_free(alert: Alert) -> bool:
    return alert.triage.incident is None and alert.triage.status is not Status.CLOSED


def _about(alert: Alert) -> _About:
    return alert.org, alert.entity_field, alert.entity


def _is_near(alert: Alert, other: Alert) -> bool:
    return alert.first_seen - _NEAR_MS <= other.last_seen < alert.last_seen + _NEAR_MS


def gather(gatherer: Gatherer, clock: Callable[[], int], stop: threading.Event, look_s: float = LOOK_S) -> None:
    """Until told to stop. Nothing that fails ends it."""
    complaint = Complaint(
        _log, "new alerts are not joined to incidents for now", "new alerts are joined to incidents again"
    )
    while not stop.wait(look_s):
        try:
            gatherer.look(clock())
            complaint.over()
        except Exception as error:  # noqa: BLE001 - what is wrong with one look must not end all
            complaint.failed(error)
