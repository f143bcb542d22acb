"""What may be done with incidents, and in which order it is written. The API, the console and the command line all go through here.

Every act may end after any of its writes, and doing it again finishes it. The order sees to that: an incident is widened to an
alert's organisation before the alert joins; an alert goes from one incident to another in one write, of its own triage; an incident
is closed, or open again, once its alerts are; one that was merged leads to the other from the first moment, and what is still in
it is found there. That alerts have come is written into the incident after they have: whoever closes it over what they had read
before finds another version, and whoever brings them finds it closed. So none that is open stays in one that is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from api.errors import Refused
from api.harmless import Standing, Watched
from api.triage import check_assignee, measure
from api.verdicts import believe, doubt
from soc.errors import Conflict, NotFound
from soc.model.account import Account
from soc.model.alert import Alert, Change, Decision, Status, Triage, Verdict
from soc.model.incident import Incident, IncidentDecision, IncidentStatus
from soc.model.org import EVERYTHING
from soc.store.base import AlertFilter, Stores
from soc.store.paging import every

_TRIES = 5
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Desk:
    """One person at one moment (`now`: ms), and what they do with incidents and their alerts. `watched`: where verdicts are heard; None
    for who gives none.

    Every act returns the incident as it is then. It raises `NotFound` (also outside the account's scope), `Refused` with the reason,
    and `Conflict` when somebody else was first. An incident that was merged stands for the one that it was merged into.
    """

    stores: Stores
    account: Account
    now: int
    watched: Watched | None

    def open(self, incident_id: str, title: str, alert_ids: Collection[str]) -> Incident:
        """A new incident from at least one alert. `incident_id`: chosen by the caller, who gives the same to do it again."""
        alerts = self._alerts(alert_ids)
        _check_free(alerts, {incident_id})
        self._begin(incident_id, title, alerts, None)
        return self._join(incident_id, alerts, ())

    def add(self, incident_id: str, alert_ids: Collection[str]) -> Incident:
        """Alerts that are in no incident join this one."""
        return self._join(incident_id, self._alerts(alert_ids), ())

    def remove(self, incident_id: str, alert_ids: Collection[str]) -> Incident:
        """Its alerts leave it and are in none; those that have left are no matter."""
        chain = self._chain(incident_id)
        alerts = self._alerts(alert_ids)
        ours = {incident.id for incident in chain}
        _check_free(alerts, ours)
        for alert in alerts:
            self._move(alert, ours, None)
        return self._say(chain[-1], IncidentDecision(left=[alert.id for alert in alerts if alert.triage.incident]))

    def split(self, incident_id: str, alert_ids: Collection[str], new_id: str, title: str) -> Incident:
        """Some of its alerts become a new incident, which is returned. `new_id`: as for `open`."""
        chain = self._chain(incident_id)
        alerts = self._alerts(alert_ids)
        ours = {incident.id for incident in chain}
        for alert in alerts:
            if alert.triage.incident not in (*ours, new_id):
                raise Refused(f"alert {alert.id} is not in incident {incident_id}")
        self._begin(new_id, title, alerts, chain[-1].id)
        new = self._join(new_id, alerts, ours)
        self._say(chain[-1], IncidentDecision(left=[alert.id for alert in alerts if alert.triage.incident in ours]))
        return new

    def merge(self, source_id: str, target_id: str) -> Incident:
        """All alerts of the source go over to the target; the source is closed and stays readable, with its history.

        Both are written over what was read before, the target first, so that two merges at once never make a circle; and before any
        alert goes, so that of two merges one does nothing.
        """
        source, target = (self.stores.incidents.get(id_, self.account.scope) for id_ in (source_id, target_id))
        if source.id == target.id:
            raise Refused("an incident cannot be merged into itself")
        if source.merged_into not in (None, target.id):
            raise Conflict(f"incident {source.id} was merged into {source.merged_into} already")
        if source.merged_into is None:
            _check_open(target)
            self._say(target, IncidentDecision(target.version, orgs=source.orgs, merged=source.id))
            self._say(source, IncidentDecision(source.version, status=IncidentStatus.CLOSED, merged_into=target.id))
        return self._hand_over(source.id)

    def decide(self, incident_id: str, decision: IncidentDecision) -> Incident:
        """Closing closes its open alerts with the verdict; reopening makes those that have it new again."""
        incident = self.stores.incidents.get(incident_id, self.account.scope)
        if decision.version not in (None, incident.version):
            raise Conflict(f"{incident.updated_by} changed this incident meanwhile: look at it again, then decide")
        _check_decision(incident, decision)
        if decision.assignee:
            check_assignee(self.stores, incident.orgs, decision.assignee)
        if decision.status is IncidentStatus.CLOSED:
            closed = Decision(status=Status.CLOSED, verdict=decision.verdict)
            members = self._members(incident.id)
            self._settle(members, incident.id, _is_open, closed)
            self._hear_again(members, closed)
        elif decision.status is IncidentStatus.OPEN and incident.verdict is not None:
            again = Decision(status=Status.NEW)
            self._settle(self._members(incident.id), incident.id, lambda t: t.verdict is incident.verdict, again)
        # What was done to its alerts holds for the incident that was read; a comment for any.
        version = decision.version if decision.status is None else incident.version
        return self._say(incident, replace(decision, version=version))

    def history(self, incident_id: str) -> list[Change]:
        """Of the incident and of those merged into it, oldest first."""
        self.stores.incidents.get(incident_id, self.account.scope)
        return sorted(self._lines(incident_id), key=lambda line: line.at)

    def _lines(self, incident_id: str) -> Iterator[Change]:
        merged: dict[str, None] = {}
        for line in self.stores.incidents.history(incident_id):
            yield line
            if line.field == "merged" and line.new:
                merged[line.new] = None
        for id_ in merged:
            # The line is written first, and a merge may have gone no further. Where it did, this one has all organisations of that one.
            if self.stores.incidents.get(id_, EVERYTHING).merged_into == incident_id:
                yield from self._lines(id_)

    def _chain(self, incident_id: str) -> list[Incident]:
        """The incident, and in turn what it was merged into; the last one counts."""
        chain = [self.stores.incidents.get(incident_id, self.account.scope)]
        while next_id := chain[-1].merged_into:
            chain.append(self.stores.incidents.get(next_id, self.account.scope))
        return chain

    def _alerts(self, alert_ids: Collection[str]) -> list[Alert]:
        if not alert_ids:
            raise Refused("name at least one alert")
        return [self.stores.alerts.get(id_, self.account.scope) for id_ in dict.fromkeys(alert_ids)]

    def _members(self, incident_id: str) -> list[Alert]:
        where, alerts = AlertFilter(incident=incident_id), self.stores.alerts
        return list(every(lambda at: alerts.list(where, self.account.scope, cursor=at, limit=_PAGE)))

    def _begin(self, incident_id: str, title: str, alerts: Iterable[Alert], split_from: str | None) -> None:
        """Create it, or find that this very act has done so before."""
        who, orgs = self.account.name, tuple(sorted({alert.org for alert in alerts}))
        new = Incident(incident_id, title, orgs, self.now, who, self.now, who)
        try:
            self.stores.incidents.create(new, by=who, split_from=split_from)
        except Conflict as taken:
            try:
                there = self.stores.incidents.get(incident_id, self.account.scope)
            except NotFound:
                raise taken from None
            if (there.title, there.created_by) != (title, who):
                raise

    def _join(self, incident_id: str, alerts: Sequence[Alert], others: Collection[str]) -> Incident:
        """Alerts of no incident, of `others`, or of one that was merged into this one, come into it."""
        *before, incident = self._chain(incident_id)
        _check_open(incident)
        sources = {*others, *(merged.id for merged in before)}
        _check_free(alerts, {incident.id, *sources})
        self._say(incident, IncidentDecision(orgs=[alert.org for alert in alerts]))
        for alert in alerts:
            self._move(alert, {None, *sources}, incident.id)
        new = [alert for alert in alerts if alert.triage.incident != incident.id]
        there = self._arrived(incident.id, new)
        if there.merged_into:  # meanwhile: whoever did it may have looked for its alerts before these joined
            return self._join(incident.id, alerts, sources)
        if there.status is IncidentStatus.CLOSED and [alert for alert in new if self._back(alert, incident.id)]:
            _check_open(there)
        return there

    def _arrived(self, incident_id: str, alerts: Sequence[Alert]) -> Incident:
        """The incident, which now says that these came; or as it is, closed, where somebody has closed it meanwhile."""
        for _ in range(_TRIES):
            there = self.stores.incidents.get(incident_id, self.account.scope)
            if not alerts or there.status is IncidentStatus.CLOSED:
                return there
            with suppress(Conflict):
                return self._say(there, IncidentDecision(there.version, joined=[alert.id for alert in alerts]))
        raise Conflict(f"incident {incident_id} is being changed by {there.updated_by} all the time: try again")

    def _back(self, alert: Alert, incident_id: str) -> bool:
        """Where it came from (`alert` as it was then), out of an incident that is closed; False where the closing took it along."""
        return (
            self._change(
                self.stores.alerts.get(alert.id, self.account.scope),
                lambda triage: triage.incident == incident_id and _is_open(triage),
                Decision(incident=alert.triage.incident or ""),
            ).incident
            != incident_id
        )

    def _say(self, incident: Incident, decision: IncidentDecision) -> Incident:
        return self.stores.incidents.change(incident.id, decision, by=self.account.name, now=self.now)

    def _hand_over(self, incident_id: str) -> Incident:
        """The alerts of an incident that was merged go to where it leads, and those that were left on the way."""
        *merged, last = self._chain(incident_id)
        passed = [alert for source in merged for alert in self._pass_on(source.id, last.id)]
        there = self._arrived(last.id, passed)
        if there.merged_into:  # meanwhile, too
            return self._hand_over(incident_id)
        if there.status is IncidentStatus.CLOSED:  # by somebody who knew of the merge, since it is written first
            self._settle(passed, there.id, _is_open, Decision(status=Status.CLOSED, verdict=there.verdict))
        return there

    def _pass_on(self, source_id: str, target_id: str) -> list[Alert]:
        """The alerts that went over, as they are then."""
        onward = Decision(incident=target_id)
        passed = [
            replace(alert, triage=self._change(alert, lambda t: t.incident == source_id, onward))
            for alert in self._members(source_id)
        ]
        return [alert for alert in passed if alert.triage.incident == target_id]

    def _move(self, alert: Alert, sources: Collection[str | None], target: str | None) -> None:
        """Bring the alert from one of the sources to the target (None: out of all). Raises `Conflict` where it has gone elsewhere."""
        there = self._change(alert, lambda triage: triage.incident in sources, Decision(incident=target or ""))
        if there.incident != target:
            raise Conflict(_elsewhere(alert.id, there))

    def _settle(
        self, alerts: Iterable[Alert], incident_id: str, wanted: Callable[[Triage], bool], decision: Decision
    ) -> None:
        """Decide so for those of the alerts for which it is wanted, while they are in the incident."""
        for alert in alerts:
            self._change(alert, lambda t: t.incident == incident_id and wanted(t), decision)

    def _hear_again(self, alerts: Iterable[Alert], decision: Decision) -> None:
        """By what those are about that had the verdict already: the act may have ended before it was heard."""
        if ground := self._ground():
            for alert in alerts:
                if alert.triage.verdict is decision.verdict:
                    believe(ground, self.account, alert, decision, since=alert.triage.closed_at)

    def _ground(self) -> Standing | None:
        if self.watched is None:
            return None
        return Standing(self.stores, self.watched.anomalies, self.watched.unusual, lambda: self.now)

    def _change(self, alert: Alert, wanted: Callable[[Triage], bool], decision: Decision) -> Triage:
        """Change the triage if that is wanted of the one that is there, which is returned; again where somebody else was first."""
        for _ in range(_TRIES):
            if not wanted(alert.triage):
                return alert.triage
            over = replace(decision, version=alert.triage.version)
            try:
                if ground := self._ground():
                    doubt(ground, self.account, [alert], over)
                new = self.stores.triage.change(alert.id, over, by=self.account.name, now=self.now)
                measure(alert, new)
                if ground:
                    believe(ground, self.account, alert, over)
                return new
            except Conflict:
                alert = self.stores.alerts.get(alert.id, self.account.scope)
        raise Conflict(f"alert {alert.id} is being changed by {alert.triage.updated_by} all the time: try again")


def _is_open(triage: Triage) -> bool:
    return triage.status is not Status.CLOSED


def _check_free(alerts: Iterable[Alert], ours: Collection[str]) -> None:
    for alert in alerts:
        if alert.triage.incident is not None and alert.triage.incident not in ours:
            raise Conflict(_elsewhere(alert.id, alert.triage))


def _elsewhere(alert_id: str, triage: Triage) -> str:
    where = f"in incident {triage.incident}" if triage.incident else "in no incident any more"
    return f"alert {alert_id} is {where}: look at it again, then decide"


def _check_open(incident: Incident) -> None:
    if incident.merged_into is not None:
        raise Refused(f"incident {incident.id} was merged into {incident.merged_into}: use that one")
    if incident.status is IncidentStatus.CLOSED:
        raise Refused(f"incident {incident.id} is closed: reopen it first")


def _check_decision(incident: Incident, decision: IncidentDecision) -> None:
    if incident.merged_into is not None:
        _check_open(incident)
    if decision.status is IncidentStatus.CLOSED:
        if decision.verdict is None:
            raise Refused(f"closing needs a verdict: one of {', '.join(Verdict)}")
        if incident.status is IncidentStatus.CLOSED and decision.verdict is not incident.verdict:
            raise Refused(f"it is closed as {str(incident.verdict).replace('_', ' ')}: reopen it first")
    elif decision.verdict is not None:
        raise Refused("a verdict is given when an incident is closed: send both, or leave the verdict out")
