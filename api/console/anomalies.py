"""The pages of anomalies and of series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.anomalies import (
    MOST_HOURS,
    Detail,
    Shown,
    definitions,
    detail,
    level,
    reset,
    shown_of,
    shown_with_ready,
    took_over,
)
from api.anomaly_schemas import AnomalyId, SeriesId
from api.auth import Admin, Analyst, Viewer
from api.console.moment import moment
from api.console.plot import Drawn, drawn
from api.console.render import local
from api.harmless import all_said, lay_down, of_anomaly, said, withdraw
from api.schemas import Cursor, Name
from api.state import Here, State
from api.tuning.exceptions import observed
from detector.explain import query_of
from detector.series.definition import LEARNING_DAYS
from soc.errors import NotFound
from soc.model.account import Account, Role
from soc.model.alert import Alert
from soc.model.anomaly import RULE_PREFIX, Anomaly, Reading, of_series
from soc.model.calendar import HOUR_MS
from soc.model.harmless import HarmlessSeries
from soc.store.cursor import decode, encode

router = APIRouter()
_A_PAGE = 50
_MARKED = 1000  # anomalies in a plot
_SAID = 100  # of what is said to be harmless
_GOES_ON_MS = HOUR_MS // 2  # since its last bucket that was off
_DRAWN, _LISTED, _LOOKED_AT = 6, 20, 200  # of an alert's anomalies
Reason = Annotated[str, Form(min_length=1, max_length=4000)]


@router.get("/anomalies")
def anomalies_page(
    request: Request,
    state: Here,
    account: Viewer,
    definition: Annotated[Name, Query()] = "",
    org: Annotated[Name, Query()] = "",
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    before, org = decode(cursor)[1] if cursor is not None else "", org.strip()
    found = state.anomalies.list(account.scope, definition=definition, org=org, before=before, limit=_A_PAGE + 1)
    first = _address("/anomalies", definition=definition, org=org)
    more = None
    if len(found) > _A_PAGE:
        more = _address("/anomalies", definition=definition, org=org, cursor=encode(0, found[_A_PAGE - 1].id))
    counts = state.anomalies.counts(account.scope)
    known, harmless = definitions(state), all_said(state, account.scope, HarmlessSeries)
    return state.pages.html(
        request,
        "anomalies.html",
        account=account,
        anomalies=[(one, shown_of(state, one, account.scope, known.get(one.definition))) for one in found[:_A_PAGE]],
        on=[one.id for one in found if state.clock() - one.until < _GOES_ON_MS],
        harmless=[(one, _shown(state, account, one.harmless.series)) for one in harmless[:_SAID]],
        said=len(harmless),
        learning_days=LEARNING_DAYS,
        exceptions=observed(state.stores, account.scope, RULE_PREFIX),
        now=state.clock(),
        definitions=known,
        faults=state.anomalies.running()[1] if account.role.includes(Role.ADMIN) else [],
        series={name: sum(one.series for board, one in counts.items() if board.definition == name) for name in known},
        beyond={name: sum(one.beyond for board, one in counts.items() if board.definition == name) for name in known},
        late=sum(one.lost for one in counts.values()),
        more=more,
        first=first,
        first_page=cursor is None,
        definition=definition,
        org=org,
        alerts=_alerts(state, account, found[:_A_PAGE]),
        may_triage=account.role.includes(Role.ANALYST),
        may_define=account.role.includes(Role.ADMIN),
    )


@router.get("/anomalies/{anomaly_id}")
def anomaly_page(anomaly_id: AnomalyId, request: Request, state: Here, account: Viewer) -> Response:
    found = detail(state, state.anomalies.anomaly(anomaly_id, account.scope), account.scope)
    may = account.role.includes(Role.ANALYST)
    return state.pages.html(
        request,
        "anomaly.html",
        account=account,
        found=found,
        plot=plot_of(found),
        alerts=_alerts(state, account, [found.anomaly]),
        may_triage=may,
    )


@router.post("/anomalies/{anomaly_id}/harmless")
def say_harmless(anomaly_id: AnomalyId, state: Here, account: Analyst, reason: Reason) -> Response:
    lay_down(state, account, of_anomaly(state.anomalies.anomaly(anomaly_id, account.scope)), reason)
    return RedirectResponse(f"/anomalies/{anomaly_id}", 303)


@router.get("/series")
def series_page(
    request: Request,
    state: Here,
    account: Viewer,
    definition: Annotated[Name, Query()] = "",
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    after = decode(cursor)[1] if cursor is not None else ""
    found = state.anomalies.series(account.scope, definition=definition, after=after, limit=_A_PAGE + 1)
    known = definitions(state)
    more = None
    if len(found) > _A_PAGE:
        more = _address("/series", definition=definition, cursor=encode(0, found[_A_PAGE - 1].series.id))
    return state.pages.html(
        request,
        "series_list.html",
        account=account,
        series=[
            (shown_with_ready(state, one, known.get(one.series.board.definition)), one.last) for one in found[:_A_PAGE]
        ],
        title_of=known[definition].titles.model_dump() if definition in known else None,
        more=more,
        first=_address("/series", definition=definition),
        first_page=cursor is None,
    )


@router.get("/series/{series_id}")
def one_series_page(
    series_id: SeriesId,
    request: Request,
    state: Here,
    account: Viewer,
    hours: Annotated[int, Query(ge=1, le=MOST_HOURS)] = 6,
    until: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """`until`: the end of these hours in the people's zone; empty for the last bucket."""
    known = state.anomalies.one(series_id, account.scope)
    shown = shown_with_ready(state, known, definitions(state).get(known.series.board.definition))
    newest = known.last.ts + 1 if known.last else state.clock()
    end = min(max(moment(until, state.zone), MOST_HOURS * HOUR_MS), newest) if until else newest
    readings = state.anomalies.readings(known.series, end - hours * HOUR_MS, end)
    anomalies = state.anomalies.list(account.scope, series=series_id, limit=20)
    marked = state.anomalies.list(
        account.scope, series=series_id, since=end - hours * HOUR_MS, until=end, limit=_MARKED
    )
    return state.pages.html(
        request,
        "series.html",
        account=account,
        shown=shown,
        last=known.last,
        hours=hours,
        until=until,
        earlier=_local(end - hours * HOUR_MS, state.zone),
        later=_local(end + hours * HOUR_MS, state.zone) if end < newest else "",
        took_over=took_over(state, shown, known.last),
        query=_query(shown, readings),
        alerts=_alerts(state, account, anomalies),
        level=(stands := level(state, shown, known.last)),
        plot=drawn(
            readings,
            shown.bucket_ms,
            [(one.since, one.until) for one in marked],
            shown.series.board.definition,
            level_since=stands.since if stands else None,
        ),
        anomalies=anomalies,
        harmless=said(state, series_id),
        may_triage=account.role.includes(Role.ANALYST),
        may_reset=account.role.includes(Role.ADMIN),
    )


@router.post("/series/{series_id}/withdraw")
def withdraw_harmless(
    series_id: SeriesId,
    state: Here,
    account: Analyst,
    reason: Reason,
    back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    withdraw(state, account, series_id, reason)
    return RedirectResponse(local(back or f"/series/{series_id}"), 303)


@router.post("/series/{series_id}/reset")
def reset_series(series_id: SeriesId, state: Here, account: Admin, reason: Reason) -> Response:
    reset(state, account, series_id, reason)
    return RedirectResponse(f"/series/{series_id}", 303)


@dataclass(frozen=True, slots=True)
class OfAlert:
    """The anomalies that an alert was made of, the newest first: of each series the newest with its plot, and `others`. `total`: all."""

    details: Sequence[tuple[Detail, Drawn | None]] = ()
    others: Sequence[Anomaly] = ()
    total: int = 0


def of_alert(state: State, account: Account, rule_id: str, alert_id: str) -> OfAlert:
    if not of_series(rule_id):
        return OfAlert()
    found = state.anomalies.list(account.scope, alert=alert_id, limit=_LOOKED_AT)
    by_series: dict[str, Anomaly] = {}
    began: dict[str, int] = {}  # what lasts for hours is an anomaly after the other
    for one in found:
        by_series.setdefault(one.series, one)
        began[one.series] = one.since
    newest = list(by_series.values())[:_DRAWN]
    others = [one for one in found if one not in newest][:_LISTED]
    details = [detail(state, one, account.scope, began[one.series]) for one in newest]
    total = state.anomalies.how_many(account.scope, alert=alert_id)
    return OfAlert([(one, plot_of(one)) for one in details], others, total)


def plot_of(found: Detail) -> Drawn | None:
    """While the anomaly lasted, with the band that it was outside of: that of its readings follows what goes on."""
    one, band = found.anomaly, {name: getattr(found.anomaly, name) for name in ("expected", "lower", "upper")}
    readings = [at._replace(**band) if one.since <= at.ts <= one.until else at for at in found.readings]
    return drawn(readings, found.shown.bucket_ms, [(one.since, one.until)], one.definition)


def _address(path: str, **chosen: str) -> str:
    asked = urlencode({name: value for name, value in chosen.items() if value})
    return f"{path}?{asked}" if asked else path


def _local(at: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at / 1000, zone).strftime("%Y-%m-%dT%H:%M")


def _alerts(state: State, account: Account, anomalies: Sequence[Anomaly]) -> Mapping[str, Alert]:
    """What has become of those that they are in."""
    return state.stores.alerts.several(sorted({one.alert for one in anomalies}), account.scope)


def _query(shown: Shown, readings: Sequence[Reading]) -> str:
    """A search for the events of what is drawn; empty where that is not known."""
    if shown.definition is None or not readings:
        return ""
    return query_of(shown.definition, shown.series, readings[0].ts, readings[-1].ts + shown.bucket_ms)


def _shown(state: State, account: Account, series_id: str) -> Shown | None:
    try:
        series = state.anomalies.one(series_id, account.scope).series
    except NotFound:
        return None
    return Shown(series, definitions(state).get(series.board.definition))
