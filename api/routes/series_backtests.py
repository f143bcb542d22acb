"""Backtests of series: what definitions, new or changed, would have called anybody about."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.auth import Admin, Viewer
from api.backtests import JobId
from api.schemas import ItemsOut
from api.series_backtests import faults, read, start
from api.series_schemas import CheckOut, FaultOut, SeriesBacktestIn, SeriesBacktestOut, TextIn
from api.state import Here
from soc.backtest.jobs import Kind

router = APIRouter(prefix="/series", tags=["anomalies"])


@router.post("/check")
def check_definitions(body: TextIn, account: Admin) -> CheckOut:  # noqa: ARG001 - it is who may ask
    """Everything that is wrong with definitions, each with its line and field. Nothing is kept."""
    found = read(body.text)
    return CheckOut(definitions=list(found.by_name), faults=[FaultOut.of(one) for one in faults(found)])


@router.post("/backtests", status_code=202)
def start_series_backtest(body: SeriesBacktestIn, state: Here, account: Admin) -> SeriesBacktestOut:
    """Of the YAML of definitions, over the stored events of the organisations that the account may see; for 30 minutes at most. Nothing is
    raised. One backtest at a time, of rules or series: 429 while another runs."""
    job = start(state, account, body.days, body.text)
    return SeriesBacktestOut.of(state.backtests.get(job.id, account.scope, Kind.SERIES))


@router.get("/backtests")
def list_series_backtests(state: Here, account: Viewer) -> ItemsOut[SeriesBacktestOut]:
    """Newest first, without what came of them."""
    reports = state.backtests.reports(account.scope, Kind.SERIES)
    return ItemsOut(items=[SeriesBacktestOut.of(report, whole=False) for report in reports])


@router.get("/backtests/{job_id}")
def get_series_backtest(job_id: JobId, state: Here, account: Viewer) -> SeriesBacktestOut:
    """Visible to those who may see every organisation that went into it."""
    return SeriesBacktestOut.of(state.backtests.get(job_id, account.scope, Kind.SERIES))


@router.post("/backtests/{job_id}/resume")
def resume_series_backtest(job_id: JobId, state: Here, account: Admin) -> SeriesBacktestOut:
    """Goes on where it was stopped, the same day; later it begins again."""
    state.backtests.resume(job_id, account.scope, Kind.SERIES)
    return SeriesBacktestOut.of(state.backtests.get(job_id, account.scope, Kind.SERIES))


@router.post("/backtests/{job_id}/stop", status_code=204)
def stop_series_backtest(job_id: JobId, state: Here, account: Admin) -> Response:
    state.backtests.stop(job_id, account.scope, Kind.SERIES)
    return Response(status_code=204)
