"""Backtests: what a rule, new or changed, would have raised."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.auth import Admin, Viewer
from api.backtests import JobId, start
from api.schemas import BacktestIn, BacktestOut, ItemsOut
from api.state import Here
from soc.model.asked import Bounds

router = APIRouter(prefix="/backtests", tags=["backtests"])


@router.post("", status_code=202)
def start_backtest(body: BacktestIn, state: Here, account: Admin) -> BacktestOut:
    """Of a running rule (`rule_id`; a correlation also with another `threshold` or window), or of the YAML of a new or changed one
    (`text`). One at a time: 429 while another runs."""
    bounds = Bounds(body.threshold, body.timespan_s)
    job = start(state, account, body.days, rule_id=body.rule_id, text=body.text, bounds=bounds)
    return BacktestOut.of(state.backtests.get(job.id, account.scope))


@router.get("")
def list_backtests(state: Here, account: Viewer) -> ItemsOut[BacktestOut]:
    """Newest first, without what came of them."""
    return ItemsOut(items=[BacktestOut.of(report, whole=False) for report in state.backtests.reports(account.scope)])


@router.get("/{job_id}")
def get_backtest(job_id: JobId, state: Here, account: Viewer) -> BacktestOut:
    """Visible to those who may see every organisation that went into it."""
    return BacktestOut.of(state.backtests.get(job_id, account.scope))


@router.post("/{job_id}/resume")
def resume_backtest(job_id: JobId, state: Here, account: Admin) -> BacktestOut:
    """Goes on where it was stopped, the same day; later it begins again."""
    state.backtests.resume(job_id, account.scope)
    return BacktestOut.of(state.backtests.get(job_id, account.scope))


@router.post("/{job_id}/stop", status_code=204)
def stop_backtest(job_id: JobId, state: Here, account: Admin) -> Response:
    state.backtests.stop(job_id, account.scope)
    return Response(status_code=204)
