"""Asking what a rule would have raised, and the page of what came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import Admin, Viewer
from api.backtests import LONGEST_RULE, MOST_DAYS, JobId, change, start
from api.errors import Refused
from api.state import Here
from soc.errors import Busy, ConfigError, RuleError
from soc.model.asked import Bounds, number, seconds

router = APIRouter(prefix="/backtests")
_DAYS = 30


@router.get("")
def backtests_page(request: Request, state: Here, account: Viewer) -> Response:
    reports = state.backtests.reports(account.scope)
    titles = {rule.id: rule for rule in state.rules.running()[0]}
    return state.pages.html(
        request, "backtests.html", account=account, reports=reports, titles=titles, text="", fault=None, days=_DAYS
    )


@router.post("")
def start_backtest(
    request: Request,
    state: Here,
    account: Admin,
    days: Annotated[int, Form(ge=1, le=MOST_DAYS)] = _DAYS,
    rule_id: Annotated[str, Form(max_length=200)] = "",
    text: Annotated[str, Form(max_length=LONGEST_RULE)] = "",
    threshold: Annotated[str, Form(max_length=40)] = "",
    timespan: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    try:
        bounds = Bounds(number(threshold), seconds(timespan))
        job = start(state, account, days, rule_id=rule_id or None, text=text if text.strip() else None, bounds=bounds)
    except (ConfigError, RuleError, Refused, Busy) as fault:
        page = {"reports": [], "titles": {}, "text": text, "fault": str(fault), "days": days}
        status = 429 if isinstance(fault, Busy) else 422
        return state.pages.html(request, "backtests.html", status, account=account, **page)
    return RedirectResponse(f"/backtests/{job.id}", 303)


@router.get("/{job_id}")
def backtest_page(job_id: JobId, request: Request, state: Here, account: Viewer) -> Response:
    report = state.backtests.get(job_id, account.scope)
    titles = {rule.id: rule for rule in state.rules.running()[0]}
    return state.pages.html(request, "backtest.html", account=account, report=report, titles=titles)


@router.post("/{job_id}/{act}")
def change_backtest(job_id: JobId, act: str, state: Here, account: Admin) -> Response:
    change(state, account, job_id, act)
    return RedirectResponse(f"/backtests/{job_id}", 303)
