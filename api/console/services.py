"""The pages of service health: how the systems do, and the surges that were declared of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from api import surges
from api.auth import Admin, Viewer
from api.console.moment import moment
from api.errors import Refused
from api.schemas import Name
from api.state import Here, State
from api.surge_doubts import doubts_of
from api.surge_schemas import written_hours
from soc.errors import Conflict, Forbidden, SocError
from soc.model.account import Account
from soc.model.surge import LEAST_PERCENT, MOST_PERCENT
from soc.model.system import SYSTEMS

router = APIRouter(prefix="/services")
SHOWN = 200
_EMPTY = {"systems": [], "factor": 3} | dict.fromkeys(
    ("name", "since", "until", "reason", "orgs", "services", "hours"), ""
)

SurgeId = Annotated[str, Path(max_length=200)]
Line = Annotated[str, Form(max_length=1000)]


@router.get("")
def services_page(
    request: Request,
    state: Here,
    account: Viewer,
    org: Annotated[Name, Query()] = "",
    system: Annotated[Name, Query()] = "",
) -> Response:
    """What burns comes first."""
    levels, count = state.levels.worst(account.scope, org=org.strip(), system=system, limit=SHOWN)
    return state.pages.html(
        request, "services.html", account=account, levels=levels, count=count, org=org, system=system, systems=SYSTEMS
    )


@router.get("/surges")
def surges_page(request: Request, state: Here, account: Viewer) -> Response:
    return _surges(request, state, account)


@router.post("/surges")
def declare_surge(
    request: Request,
    state: Here,
    account: Admin,
    name: Line,
    since: Line,
    until: Line,
    reason: Line,
    factor: Annotated[float, Form(ge=LEAST_PERCENT / 100, le=MOST_PERCENT / 100)],
    orgs: Line = "",
    systems: Annotated[list[str] | None, Form(max_length=len(SYSTEMS))] = None,
    services: Line = "",
    hours: Line = "",
) -> Response:
    typed = {"name": name, "since": since, "until": until, "reason": reason, "factor": factor}
    typed |= {"orgs": orgs, "systems": systems or [], "services": services, "hours": hours}
    try:
        new = surges.wanted(
            name,
            moment(since, state.zone),
            moment(until, state.zone),
            factor,
            orgs=_names(orgs),
            systems=systems or (),
            services=_names(services),
            daily=hours,
        )
        surges.declare(state.stores, account, new, reason=reason, now=state.clock())
    except (Refused, Forbidden, Conflict) as error:
        return _surges(request, state, account, error=error, typed=typed)
    return RedirectResponse("/services/surges", 303)


@router.post("/surges/{surge_id}/end")
def end_surge(surge_id: SurgeId, request: Request, state: Here, account: Admin, reason: Line) -> Response:
    try:
        surges.end(state.stores, account, surge_id, reason=reason, now=state.clock())
    except (Refused, Forbidden, Conflict) as error:
        return _surges(request, state, account, error=error)
    return RedirectResponse("/services/surges", 303)


def _surges(
    request: Request,
    state: State,
    account: Account,
    *,
    error: SocError | None = None,
    typed: dict[str, object] | None = None,
) -> Response:
    now = state.clock()
    declared = surges.visible(state.stores.policies, account.scope, now)
    return state.pages.html(
        request,
        "surges.html",
        {Conflict: 409, Forbidden: 403}.get(type(error), 422) if error else 200,
        account=account,
        declared=declared,
        doubts=doubts_of(state, declared, now),
        systems=SYSTEMS,
        hours_of=written_hours,
        now=now,
        error=error,
        typed=typed or _EMPTY,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(one for part in text.split(",") if (one := part.strip()))
