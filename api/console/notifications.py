"""The page of notifications: routes, and what could not be delivered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from api import notifications
from api.auth import Admin
from api.errors import Refused
from api.schemas import Cursor, Level
from api.state import Here, State
from soc.errors import Busy, Conflict, Forbidden, SocError
from soc.model.account import Account
from soc.model.delivery import DeliveryState
from soc.model.finding import LEVELS
from soc.notify.route import LANGUAGES, Channel, Route

router = APIRouter(prefix="/notifications")
RouteId = Annotated[str, Path(max_length=64)]
DeliveryId = Annotated[str, Path(pattern="^[0-9a-f]{24}$")]
Version = Annotated[int, Form(ge=1, le=2**31)]
Line = Annotated[str, Form(max_length=2000)]
Words = Annotated[str, Form(max_length=16_000)]
Language = Literal["vi", "en"]

# What the forms show when nothing has been typed yet.
_BLANK = Route("", "", Channel.EMAIL)


@router.get("")
def notifications_page(
    request: Request, state: Here, account: Admin, cursor: Annotated[Cursor, Query()] = None
) -> Response:
    return _page(request, state, account, cursor=cursor)


@router.post("/routes")
def add_route(
    request: Request,
    state: Here,
    account: Admin,
    name: Line,
    channel: Annotated[Channel, Form()],
    to: Words,
    orgs: Words = "",
    level: Annotated[Level, Form()] = "high",
    language: Annotated[Language, Form()] = "vi",
    per_hour: Annotated[int, Form()] = _BLANK.per_hour,
    digest_minutes: Annotated[int, Form()] = _BLANK.digest_minutes,
) -> Response:
    """Not sent on to another page: the secret of a webhook is shown this once."""
    values = _values(channel, name, to, level, language, per_hour, digest_minutes)
    try:
        made = notifications.add(state.stores, account, values | {"orgs": _words(orgs) or None}, state.clock())
    except (Refused, Forbidden) as error:
        typed = Route("", **values, orgs=_words(orgs))
        return _page(request, state, account, error=error, typed=typed)
    return _page(request, state, account, made=made)


@router.post("/routes/{route_id}")
def change_route(
    route_id: RouteId,
    request: Request,
    state: Here,
    account: Admin,
    version: Version,
    name: Line,
    to: Words,
    orgs: Words = "",
    level: Annotated[Level, Form()] = "high",
    language: Annotated[Language, Form()] = "vi",
    per_hour: Annotated[int, Form()] = _BLANK.per_hour,
    digest_minutes: Annotated[int, Form()] = _BLANK.digest_minutes,
) -> Response:
    try:
        old = notifications.find(state.stores, account, route_id)
        values = _values(old.channel, name, to, level, language, per_hour, digest_minutes) | {"orgs": _words(orgs)}
        notifications.change(state.stores, account, route_id, version, values, state.clock())
    except (Refused, Forbidden, Conflict) as error:
        return _page(request, state, account, error=error)
    return RedirectResponse("/notifications", 303)


@router.post("/routes/{route_id}/{act}")
def act_on_route(
    route_id: RouteId,
    act: Literal["test", "enable", "disable", "withdraw", "take-over"],
    request: Request,
    state: Here,
    account: Admin,
    version: Version,
) -> Response:
    now = state.clock()
    try:
        if act == "test":
            return _page(request, state, account, tested=state.tests.run(state.stores, account, route_id, now))
        if act == "withdraw":
            notifications.withdraw(state.stores, account, route_id, version, now)
        else:
            values = {} if act == "take-over" else {"enabled": act == "enable"}
            notifications.change(state.stores, account, route_id, version, values, now)
    except (Refused, Forbidden, Conflict, Busy) as error:
        return _page(request, state, account, error=error)
    return RedirectResponse("/notifications", 303)


@router.post("/deliveries/{delivery_id}/retry")
def retry(delivery_id: DeliveryId, request: Request, state: Here, account: Admin) -> Response:
    try:
        notifications.retry(state.stores, account, delivery_id, state.clock())
    except (Refused, Conflict) as error:
        return _page(request, state, account, error=error)
    return RedirectResponse("/notifications#failed", 303)


def _values(
    channel: Channel, name: str, to: str, level: str, language: str, per_hour: int, digest_minutes: int
) -> dict[str, Any]:
    """`to`: addresses, or a URL."""
    mail = channel is Channel.EMAIL
    return {
        "name": name.strip(),
        "channel": channel,
        "addresses": _words(to) if mail else (),
        "url": "" if mail else to.strip(),
        "level": level,
        "language": language,
        "per_hour": per_hour,
        "digest_minutes": digest_minutes,
    }


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").replace(";", " ").split())


def _page(
    request: Request,
    state: State,
    account: Account,
    *,
    cursor: str | None = None,
    error: SocError | None = None,
    made: Route | None = None,
    typed: Route = _BLANK,
    tested: tuple[bool, str] | None = None,
) -> Response:
    routes = notifications.routes(state.stores, account)
    failed = notifications.deliveries(state.stores, account, DeliveryState.FAILED, cursor=cursor)
    alerts = state.stores.alerts.several([delivery.alert_id for delivery in failed.items], account.scope)
    status = {Conflict: 409, Forbidden: 403, Busy: 429}.get(type(error), 422) if error else 200
    return state.pages.html(
        request,
        "notifications.html",
        status,
        account=account,
        routes=routes,
        orphans=notifications.orphans(state.stores, routes),
        names={route.id: route.name for route in routes},
        failed=[
            (delivery, alert, state.rules.get(alert.rule_hash) if alert else None)
            for delivery in failed.items
            for alert in (alerts.get(delivery.alert_id),)
        ],
        more=failed.next,
        error=error,
        conflict=isinstance(error, Conflict),
        made=made,
        typed=typed,
        tested=tested,
        levels=LEVELS[::-1],
        message_languages=LANGUAGES,
    )
