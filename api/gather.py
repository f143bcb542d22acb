"""New alerts join the open incident that has others about the same, so that who works on it sees them without looking.

Only alerts raised after it was opened, and never in an incident: what a person left or took out stays out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from api.incidents import Desk
from soc.complaint import Complaint
from soc.errors import Conflict, NotFound
from soc.model.account import Account, Role
from soc.model.alert import Alert, Status
from soc.model.incident import IncidentStatus
from soc.model.org import EVERYTHING
from soc.store.base import AlertFilter, Stores

ROBOT = Account("govsoc", Role.ANALYST, EVERYTHING)
LOOK_S = 5.0
_NEWEST = 200
_NEAR_MS = 3 * 86_400_000
_log = structlog.get_logger("incidents")


class Gatherer:
    """Looks at the newest alerts. Safe to run in several processes: a join may be repeated."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._done: set[str] = set()  # of the newest: they have been looked at, and nothing was open about them

    def look(self, now: int) -> int:
        """One look (`now`: ms); returns how many alerts joined. Raises what the stores raise."""
        newest = self._stores.alerts.list(AlertFilter(), EVERYTHING, limit=_NEWEST).items
        self._done &= {alert.id for alert in newest}
        joined = 0
        for alert in newest:
            free = alert.triage.incident is None and alert.triage.status is not Status.CLOSED
            if free and alert.id not in self._done:
                self._done.add(alert.id)
                joined += self._join(alert, now)
        return joined

    def _join(self, alert: Alert, now: int) -> bool:
        incident = self._open_about(alert)
        if incident is None or any(line.field == "incident" for line in self._stores.triage.history(alert.id)):
            return False
        try:
            Desk(self._stores, ROBOT, now).add(incident, [alert.id])
        except (Conflict, NotFound):  # a person was first
            return False
        return True

    def _open_about(self, alert: Alert) -> str | None:
        """The incident, open since before this alert, of the latest one about the same in the same organisation."""
        about = AlertFilter(
            org=alert.org, entity=alert.entity, since=alert.first_seen - _NEAR_MS, until=alert.last_seen + _NEAR_MS
        )
        for other in self._stores.alerts.list(about, EVERYTHING, limit=_NEWEST).items:
            if other.triage.incident and other.entity_field == alert.entity_field:
                incident = self._stores.incidents.get(other.triage.incident, EVERYTHING)
                if incident.status is IncidentStatus.OPEN and incident.created_at < alert.raised_at:
                    return incident.id
        return None


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
