"""One decision for all alerts that a filter of the queue finds: first they are shown, then it is done."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request, Response

from api.auth import Analyst
from api.bulk import MOST, Bulk, decide_all, found
from api.console.moment import moment
from api.errors import Refused
from api.schemas import Level, Name
from api.state import Here, State
from soc.model.account import Account
from soc.model.alert import Decision, Status, Verdict
from soc.store.base import AlertFilter

router = APIRouter(prefix="/alerts/bulk")
_SHOWN = 30
Action = Literal["acknowledge", "close", "assign", "snooze", "comment"]


@router.get("")
def bulk_page(
    request: Request,
    state: Here,
    account: Analyst,
    status: Status | Literal["all"] = Status.NEW,
    level: Level | Literal[""] = "",
    org: Annotated[Name, Query()] = "",
    text: Annotated[Name, Query()] = "",
    rule: Annotated[Name, Query()] = "",
) -> Response:
    return _page(request, state, account, {"status": status, "level": level, "org": org, "text": text, "rule": rule})


@router.post("")
def bulk_change(
    request: Request,
    state: Here,
    account: Analyst,
    action: Annotated[Action, Form()],
    expected: Annotated[int, Form(ge=0, le=MOST)],
    status: Annotated[Status | Literal["all"], Form()] = Status.NEW,
    level: Annotated[Level | Literal[""], Form()] = "",
    org: Annotated[str, Form(max_length=200)] = "",
    text: Annotated[str, Form(max_length=200)] = "",
    rule: Annotated[str, Form(max_length=200)] = "",
    verdict: Annotated[Verdict | None, Form()] = None,
    assignee: Annotated[str, Form(max_length=200)] = "",
    until: Annotated[str, Form(max_length=40)] = "",
    reason: Annotated[str, Form(max_length=4000)] = "",
    comment: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    chosen = {"status": status, "level": level, "org": org, "text": text, "rule": rule}
    try:
        decision = _decision(state, account, action, verdict, assignee.strip(), until, reason.strip(), comment.strip())
        done = decide_all(state, account, _where(chosen), text, decision, expected)
    except Refused as error:
        return _page(request, state, account, chosen, error=error)
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
        case "assign":
            return Decision(assignee=assignee or account.name, comment=said)
        case "snooze":
            return Decision(snoozed_until=moment(until, state.zone), reason=reason or None, comment=said)
        case "comment":
            if said is None:
                raise Refused("there is no comment")
            return Decision(comment=said)


def _where(chosen: dict[str, str]) -> AlertFilter:
    status = chosen["status"]
    return AlertFilter(
        status=None if status == "all" else Status(status),
        level=chosen["level"] or None,
        org=chosen["org"] or None,
        rule_id=chosen["rule"] or None,
    )


def _page(
    request: Request,
    state: State,
    account: Account,
    chosen: dict[str, str],
    *,
    error: Refused | None = None,
    done: Bulk | None = None,
) -> Response:
    alerts, more = ([], False) if done else found(state, account, _where(chosen), chosen["text"])
    return state.pages.html(
        request,
        "bulk.html",
        422 if error else 200,
        account=account,
        chosen=chosen,
        alerts=[(alert, state.rules.get(alert.rule_hash)) for alert in alerts[:_SHOWN]],
        count=len(alerts),
        more=more,
        verdicts=list(Verdict),
        error=error,
        done=done,
    )
