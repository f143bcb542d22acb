"""Notifications: who is told of which alerts, and what could not be delivered. For administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from api import notifications
from api.auth import Admin
from api.notification_schemas import DeliveryOut, RouteChangeIn, RouteIn, RouteMadeOut, RouteOut, TestOut, Version
from api.schemas import Cursor, ItemsOut, Limit, PageOut
from api.state import Here
from soc.model.delivery import DeliveryState

router = APIRouter(tags=["notifications"])
RouteId = Annotated[str, Path(max_length=64)]
DeliveryId = Annotated[str, Path(pattern="^[0-9a-f]{24}$", description="24 hex digits")]


@router.get("/routes")
def list_routes(state: Here, account: Admin) -> ItemsOut[RouteOut]:
    routes = notifications.routes(state.stores, account)
    orphans = notifications.orphans(state.stores, routes)
    return ItemsOut(items=[RouteOut.of(route, orphaned=route.id in orphans) for route in routes])


@router.post("/routes", status_code=201)
def add_route(body: RouteIn, state: Here, account: Admin) -> RouteMadeOut:
    """The answer holds the secret of a webhook, which is not shown again."""
    route = notifications.add(state.stores, account, _fields(body), state.clock())
    return RouteMadeOut.of(route).model_copy(update={"secret": route.secret or None})


@router.patch("/routes/{route_id}")
def change_route(route_id: RouteId, body: RouteChangeIn, state: Here, account: Admin) -> RouteOut:
    """Whoever changes it answers for it. 409 when somebody changed it since `version`."""
    changes = {name: value for name, value in _fields(body).items() if value is not None and name != "version"}
    return RouteOut.of(notifications.change(state.stores, account, route_id, body.version, changes, state.clock()))


@router.delete("/routes/{route_id}", status_code=204)
def withdraw_route(route_id: RouteId, version: Annotated[Version, Query()], state: Here, account: Admin) -> None:
    """What waits for it is listed as not delivered."""
    notifications.withdraw(state.stores, account, route_id, version, state.clock())


@router.post("/routes/{route_id}/test")
def test_route(route_id: RouteId, state: Here, account: Admin) -> TestOut:
    """Send a test now, and say what came of it."""
    arrived, answer = state.tests.run(state.stores, account, route_id, state.clock())
    return TestOut(arrived=arrived, answer=answer)


@router.get("/deliveries")
def list_deliveries(
    state: Here,
    account: Admin,
    of: Annotated[DeliveryState, Query(alias="state")] = DeliveryState.FAILED,
    cursor: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> PageOut[DeliveryOut]:
    """Newest first."""
    page = notifications.deliveries(state.stores, account, of, cursor=cursor, limit=limit)
    return PageOut(items=[DeliveryOut.of(delivery) for delivery in page.items], next=page.next)


@router.post("/deliveries/{delivery_id}/retry")
def retry_delivery(delivery_id: DeliveryId, state: Here, account: Admin) -> DeliveryOut:
    """Have what was given up tried for one more day."""
    return DeliveryOut.of(notifications.retry(state.stores, account, delivery_id, state.clock()))


def _fields(body: RouteIn | RouteChangeIn) -> dict[str, Any]:
    """Lists as tuples, as routes hold them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in body.model_dump().items()}
