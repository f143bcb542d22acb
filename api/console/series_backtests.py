"""Writing a definition of series, and trying it on the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import Admin, Viewer
from api.backtests import MOST_DAYS, JobId, change
from api.console.plot import Drawn, drawn
from api.errors import Refused
from api.schemas import Name
from api.series_backtests import LONGEST, Fault, called, faults, outcome_of, read, readings_of, start, text_of
from api.state import Here, State
from detector.series.definition import LEARNING_DAYS
from soc.backtest.jobs import Kind
from soc.errors import Busy, RuleError
from soc.model.account import Account

router = APIRouter(prefix="/series/backtests")
Text = Annotated[str, Form(max_length=LONGEST)]
_DAYS = 30
_SHOWN = 200  # alerts
_TEMPLATE = """\
name: my-series
system: otp
titles: {vi: "Tên chuỗi", en: "What it is"}
dataset: otp.gateway
where: govsoc.otp.event:dlr
group_by: [govsoc.otp.carrier]
measure: ratio
hit: event.outcome:failure
unit: share
direction: high
severity: medium
"""


@router.get("")
def series_backtests_page(
    request: Request, state: Here, account: Viewer, definition: Annotated[Name, Query()] = ""
) -> Response:
    """`definition`: the name of one that runs, to begin with."""
    return _page(request, state, account, text_of(state, definition) or _TEMPLATE)


@router.post("/check")
def check_text(request: Request, state: Here, account: Admin, text: Text = "") -> Response:
    """What is wrong, while it is being written: of the page only that is shown."""
    try:
        found = read(text)
    except Refused as error:
        return _page(request, state, account, text, error=str(error), listed=False)
    wrong = faults(found)
    good = () if wrong else tuple(found.by_name)
    return _page(request, state, account, text, faults=wrong, good=good, listed=False)


@router.post("")
def start_series_backtest(
    request: Request,
    state: Here,
    account: Admin,
    text: Text = "",
    days: Annotated[int, Form(ge=1, le=MOST_DAYS)] = _DAYS,
) -> Response:
    try:
        job = start(state, account, days, text)
    except RuleError:
        return _page(request, state, account, text, 422, faults=faults(read(text)), days=days)
    except (Refused, Busy) as error:
        return _page(
            request, state, account, text, 429 if isinstance(error, Busy) else 422, error=str(error), days=days
        )
    return RedirectResponse(f"/series/backtests/{job.id}", 303)


@router.get("/{job_id}")
def series_backtest_page(job_id: JobId, request: Request, state: Here, account: Viewer) -> Response:
    report = state.backtests.get(job_id, account.scope, Kind.SERIES)
    outcome = outcome_of(report)
    alerts = called(outcome) if outcome else []
    return state.pages.html(
        request,
        "series_backtest.html",
        account=account,
        report=report,
        outcome=outcome,
        definitions={one["name"]: one for one in outcome["definitions"]} if outcome else {},
        alerts=alerts[:_SHOWN],
        more=max(len(alerts) - _SHOWN, 0),
        plots=[(one, _drawn(one)) for one in outcome["plots"]] if outcome else [],
    )


@router.post("/{job_id}/{act}")
def change_series_backtest(job_id: JobId, act: str, state: Here, account: Admin) -> Response:
    change(state, account, job_id, act, Kind.SERIES)
    return RedirectResponse(f"/series/backtests/{job_id}", 303)


def _page(
    request: Request,
    state: State,
    account: Account,
    text: str,
    status: int = 200,
    *,
    faults: Sequence[Fault] = (),
    good: Sequence[str] = (),
    error: str = "",
    days: int = _DAYS,
    listed: bool = True,
) -> Response:
    return state.pages.html(
        request,
        "series_backtests.html",
        status,
        account=account,
        text=text,
        faults=faults,
        good=good,
        error=error,
        days=days,
        learning_days=LEARNING_DAYS,
        reports=state.backtests.reports(account.scope, Kind.SERIES) if listed else [],
    )


def _drawn(one: dict[str, Any]) -> Drawn | None:
    label = " · ".join([one["definition"], one["org"], *one["key"]])
    return drawn(readings_of(one), one["step_ms"], [(since, until) for since, until in one["off"]], label)
