"""Series of events, and what was unusual in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from api.anomalies import MOST_HOURS, definitions, detail, level, reset, shown_with_ready
from api.anomaly_schemas import (
    AnomalyDetail,
    AnomalyId,
    AnomalyOut,
    BoardOut,
    HarmlessOut,
    LevelOut,
    ReadingOut,
    ReasonIn,
    SeriesDetail,
    SeriesId,
    SeriesOut,
)
from api.auth import Admin, Analyst, Viewer
from api.harmless import all_said, lay_down, of_anomaly, said, withdraw
from api.schemas import AlertId, Cursor, ItemsOut, Limit, Name, PageOut, ms
from api.state import Here
from soc.model.calendar import HOUR_MS
from soc.model.harmless import HarmlessSeries
from soc.store.cursor import decode, encode

router = APIRouter(tags=["anomalies"])


@router.get("/anomalies")
def list_anomalies(
    state: Here,
    account: Viewer,
    series: Annotated[SeriesId | None, Query(description="only of this series")] = None,
    alert: Annotated[AlertId | None, Query(description="only those folded into this alert")] = None,
    definition: Annotated[Name | None, Query(description="only of this definition")] = None,
    org: Annotated[Name | None, Query(description="only of this organisation")] = None,
    cursor: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> PageOut[AnomalyOut]:
    """Newest first."""
    before = decode(cursor)[1] if cursor is not None else ""
    found = state.anomalies.list(
        account.scope,
        series=series or "",
        alert=alert or "",
        definition=definition or "",
        org=org or "",
        before=before,
        limit=limit + 1,
    )
    more = encode(0, found[limit - 1].id) if len(found) > limit else None
    return PageOut(items=[AnomalyOut.of(one) for one in found[:limit]], next=more)


@router.get("/anomalies/{anomaly_id}")
def get_anomaly(anomaly_id: AnomalyId, state: Here, account: Viewer) -> AnomalyDetail:
    """With the buckets around it, similar ones, and a search for the events behind it."""
    found = state.anomalies.anomaly(anomaly_id, account.scope)
    return AnomalyDetail.of_detail(detail(state, found, account.scope))


@router.post("/anomalies/{anomaly_id}/harmless", status_code=201)
def say_harmless(anomaly_id: AnomalyId, body: ReasonIn, state: Here, account: Analyst) -> HarmlessOut:
    """From now on nobody is called when its series is as far off as this. Closing the alert as benign says the same."""
    found = state.anomalies.anomaly(anomaly_id, account.scope)
    return HarmlessOut.of(lay_down(state, account, of_anomaly(found), body.reason))


@router.get("/harmless")
def list_harmless(state: Here, account: Viewer) -> ItemsOut[HarmlessOut]:
    """What people said is harmless: of which series, how far off, by whom and when."""
    return ItemsOut(items=[HarmlessOut.of(one) for one in all_said(state, account.scope, HarmlessSeries)])


@router.get("/series")
def list_series(
    state: Here,
    account: Viewer,
    definition: Annotated[Name | None, Query(description="only of this definition")] = None,
    cursor: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> PageOut[SeriesOut]:
    """By definition, organisation and group, each as it was judged last."""
    after = decode(cursor)[1] if cursor is not None else ""
    found = state.anomalies.series(account.scope, definition=definition or "", after=after, limit=limit + 1)
    known = definitions(state)
    items = [
        SeriesOut.of(shown_with_ready(state, one, known.get(one.series.board.definition)), one.last)
        for one in found[:limit]
    ]
    return PageOut(items=items, next=encode(0, found[limit - 1].series.id) if len(found) > limit else None)


@router.get("/series/counts")
def count_series(state: Here, account: Viewer) -> ItemsOut[BoardOut]:
    """How many series each definition has in each organisation, and what had no room or came too late."""
    counts = state.anomalies.counts(account.scope)
    return ItemsOut(items=[BoardOut.of(*board, one) for board, one in counts.items()])


@router.get("/series/{series_id}")
def get_series(
    series_id: SeriesId,
    state: Here,
    account: Viewer,
    hours: Annotated[int, Query(ge=1, le=MOST_HOURS)] = 6,
    until: Annotated[AwareDatetime | None, Query(description="the end of these hours; without it, now")] = None,
) -> SeriesDetail:
    """With its last hours, or those before `until`: what was, and what was expected. And where its level stands now."""
    known = state.anomalies.one(series_id, account.scope)
    shown = shown_with_ready(state, known, definitions(state).get(known.series.board.definition))
    end = ms(until) or (known.last.ts + 1 if known.last else state.clock())
    readings = state.anomalies.readings(known.series, end - hours * HOUR_MS, end)
    laid, stands = said(state, series_id), level(state, shown, known.last)
    return SeriesDetail(
        **SeriesOut.of(shown, known.last).model_dump(),
        level=LevelOut.of(stands) if stands else None,
        readings=[ReadingOut.of(one) for one in readings],
        harmless=HarmlessOut.of(laid) if laid else None,
    )


@router.post("/series/{series_id}/withdraw", status_code=204)
def withdraw_harmless(series_id: SeriesId, body: ReasonIn, state: Here, account: Analyst) -> Response:
    """What was said to be harmless of this series calls again."""
    withdraw(state, account, series_id, body.reason)
    return Response(status_code=204)


@router.post("/series/{series_id}/reset", status_code=202)
def reset_series(series_id: SeriesId, body: ReasonIn, state: Here, account: Admin) -> Response:
    """It learns anew from its next bucket on, within a second or when the observer is started. Until it has learned it calls
    nobody: volumes 14 days, means by load 21, other measures one."""
    reset(state, account, series_id, body.reason)
    return Response(status_code=202)
