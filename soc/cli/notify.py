"""`soc notify`: who is told of which alerts, and what could not be delivered. Routes are made in the console or by the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from soc.cli.context import (
    ConfigOption,
    DataDirOption,
    JsonOption,
    caller,
    console,
    local_time,
    print_json,
    shown,
    stores_of,
)
from soc.model.account import Account, Role
from soc.model.delivery import DeliveryState
from soc.model.org import EVERYTHING
from soc.service.process import now_ms

app = typer.Typer(help="Routes of notifications, and what could not be delivered.", no_args_is_help=True)


@app.command()
def routes(json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Every route: whom it tells of what. Secrets are not shown."""
    from api import notifications
    from api.notification_schemas import RouteOut

    _, stores = stores_of(config, data_dir)
    found = notifications.routes(stores, _me())
    orphans = notifications.orphans(stores, found)
    if json:
        for route in found:
            print_json(RouteOut.of(route, orphaned=route.id in orphans).model_dump())
        return
    table = Table("id", "name", "to", "organisations", "level", "an hour", "digest", "by", "", box=None, pad_edge=False)
    for route in found:
        table.add_row(
            route.id,
            shown(route.name),
            f"{route.channel}: {shown(route.target)}",
            shown(", ".join(route.orgs) or "all"),
            route.level,
            str(route.per_hour),
            f"{route.digest_minutes} min" if route.digest_minutes else "-",
            shown(route.by) + (" (gone)" if route.id in orphans else ""),
            "" if route.enabled else "off",
        )
    console().print(table if found else "No routes yet: the console's Notifications page, or POST /api/v1/routes.")


@app.command("test")
def send_test(
    route: Annotated[str, typer.Argument(help="Id of the route, as `soc notify routes` shows it.")],
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Send a test to a route now, and say what came of it; exit 3 when it did not arrive."""
    from functools import partial

    from api.notifications import Tests
    from soc.service import notify

    settings, stores = stores_of(config, data_dir)
    send = partial(notify.send_test, notify.senders(settings), notify.writer(settings))
    arrived, answer = Tests(send).run(stores, _me(), route, now_ms())
    console().print(f"{'it arrived' if arrived else 'it did not arrive'}: {shown(answer)}")
    if not arrived:
        raise typer.Exit(3)


@app.command()
def failed(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, newest first.")] = 50,
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """What could not be delivered, and why."""
    _, stores = stores_of(config, data_dir)
    found = stores.deliveries.list(DeliveryState.FAILED, EVERYTHING, limit=limit).items
    if json:
        for delivery in found:
            print_json(asdict(delivery))
        return
    table = Table("id", "route", "alert", "organisation", "since", "reason", box=None, pad_edge=False)
    for delivery in found:
        since = local_time(delivery.created_at)
        table.add_row(delivery.id, delivery.route_id, delivery.alert_id, delivery.org, since, shown(delivery.error))
    console().print(table if found else "Everything has been delivered, or is on its way.")


@app.command()
def retry(
    delivery: Annotated[str, typer.Argument(help="Id of the delivery, as `soc notify failed` shows it.")],
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Have what was given up tried for one more day."""
    from api import notifications

    _, stores = stores_of(config, data_dir)
    notifications.retry(stores, _me(), delivery, now_ms())
    console().print(f"delivery {delivery} goes out again within seconds, if the service runs")


def _me() -> Account:
    return Account(caller(), Role.ADMIN, EVERYTHING)
