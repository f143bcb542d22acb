"""One decision for all alerts that a filter of the queue finds: first they are shown, then it is done."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from api.auth import Analyst
from api.bulk import MOST, Bulk, decide_all, find
from api.console.chosen import Chosen, Filtered
from api.console.incidents import MOST_AT_ONCE
from api.console.moment import moment, next_morning
from api.errors import Refused
from api.state import Here, State
from api.triage import able
from soc.model.account import Account
from soc.model.alert import Decision, Status, Verdict
from soc.model.anomaly import of_series
from soc.model.incident import IncidentStatus
from soc.model.unusual import of_entity

router = APIRouter(prefix="/alerts/bulk")
_SHOWN = 30
Action = Literal["acknowledge", "close", "reopen", "assign", "snooze", "comment"]


@router.get("")
def bulk_page(request: Request, state: Here, account: Analyst, chosen: Filtered) -> Response:
    return _page(request, state, account, chosen)


@router.post("")
def bulk_change(
    request: Request,
    state: Here,
    account: Analyst,
    chosen: Filtered,
    action: Annotated[Action, Form()],
    expected: Annotated[int, Form(ge=0, le=MOST)],
    verdict: Annotated[Verdict | None, Form()] = None,
    assignee: Annotated[str, Form(max_length=200)] = "",
    until: Annotated[str, Form(max_length=40)] = "",
    reason: Annotated[str, Form(max_length=4000)] = "",
    comment: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    try:
        decision = _decision(state, account, action, verdict, assignee.strip(), until, reason.strip(), comment.strip())
        done = decide_all(state, account, chosen.where(state.clock()), chosen.text, decision, expected)
    except Refused as error:
        return _page(request, state, account, chosen, error=error, said=(comment, until, reason))
    return _page(request, state, account, chosen, done=done)


def _decision(
    state: State,
    account: Account,
    action: Action,
    verdict: Verdict | None,
    assignee: str,
    until: str,
    reason: str,
    comment: str,
) -> Decision:
    said = comment or None
    match action:
        case "acknowledge":
            return Decision(status=Status.ACKNOWLEDGED, assignee=account.name, comment=said)
        case "close":
            if verdict is None:
                raise Refused(f"closing needs a verdict: one of {', '.join(Verdict)}")
            return Decision(status=Status.CLOSED, verdict=verdict, comment=said)
        case "reopen":
            return Decision(status=Status.NEW, comment=said)
        case "assign":
            return Decision(assignee=assignee or account.name, comment=said)
        case "snooze":
            return Decision(snoozed_until=moment(until, state.zone), reason=reason or None, comment=said)
        case "comment":
            if said is None:
                raise Refused("there is no comment")
            return Decision(comment=said)


def _page(
    request: Request,
    state: State,
    account: Account,
    chosen: Chosen,
    *,
    error: Refused | None = None,
    said: tuple[str, str, str] = ("", "", ""),
    done: Bulk | None = None,
) -> Response:
    found = done.found if done else find(state, account, chosen.where(state.clock()), chosen.text)
    comment, until, reason = said
    free = [alert.id for alert in found.alerts if alert.triage.incident is None]
    return state.pages.html(
        request,
        "bulk.html",
        422 if error else 200,
        account=account,
        chosen=chosen,
        alerts=[(alert, state.rules.get(alert.rule_hash)) for alert in found.alerts[:_SHOWN]],
        found=found,
        anomalies=any(of_series(alert.rule_id) for alert in found.alerts),
        entities=any(of_entity(alert.rule_id) for alert in found.alerts),
        verdicts=list(Verdict),
        error=error,
        comment=comment,
        until=until or next_morning(state.clock(), state.zone),
        reason=reason,
        people=able(state.stores, {alert.org for alert in found.alerts}),
        free=free if len(free) <= MOST_AT_ONCE else [],
        incidents=state.stores.incidents.list(account.scope, status=IncidentStatus.OPEN).items,
        done=done,
    )
