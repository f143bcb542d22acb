"""`soc rules stage|override|exceptions`: tuning from a terminal, as the console does it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

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
from soc.model.asked import number, seconds
from soc.model.calendar import DAY_MS
from soc.model.finding import LEVELS
from soc.model.org import EVERYTHING
from soc.model.rule import Stage
from soc.model.tuning import OrgSetting, RuleException
from soc.service.backtest import jobs_at
from soc.service.process import now_ms
from soc.settings import Settings
from soc.store.base import Stores

if TYPE_CHECKING:
    from api.tuning.preview import Preview
    from api.tuning.settings import Wanted

exceptions = typer.Typer(no_args_is_help=True, help="What of a rule's findings is not to be shown.")

RuleId = Annotated[str, typer.Argument(help="Id of the rule, as `soc rules list --json` shows it.")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the history.")]
Confirm = Annotated[str, typer.Option(help="Why it is right all the same, when asked for it.", show_default=False)]
Orgs = Annotated[list[str] | None, typer.Option("--org", help="Only this organisation; several may be named.")]
Condition = Annotated[str, typer.Argument(help="Search expression, such as source.ip:10.0.0.5.")]


def stage(
    rule: RuleId,
    to: Annotated[Stage, typer.Argument(help="draft: not evaluated; test: out of the queue; live.")],
    reason: Reason,
    confirm: Confirm = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Move a rule to another stage. Live needs a reason where the analysts' daily budget would be exceeded, or nobody knows."""
    settings, stores = stores_of(config, data_dir)
    wanted = _wanted(stores, rule, reason)
    _lay_down(settings, stores, replace(wanted, setting=replace(wanted.setting, stage=to), confirm=confirm))
    console().print(f"{rule} is {to}")


def override(
    rule: RuleId,
    reason: Reason,
    org: Annotated[str, typer.Option(help="Only for this organisation.", show_default=False)] = "",
    level: Annotated[str, typer.Option(help="In place of the rule's own; empty: the rule's own.")] = "",
    threshold: Annotated[
        str, typer.Option(help="Of a correlation, in place of the number in its text; empty: that.")
    ] = "",
    window: Annotated[
        str, typer.Option(help="Of a correlation, such as 90s, 10m, 2h, 1d; empty: as its text says.")
    ] = "",
    only: Annotated[
        str, typer.Option(help="Search expression: what the rule finds counts only where it holds; empty: always.")
    ] = "",
    on: Annotated[bool, typer.Option("--on/--off", help="Whether the rule runs for that organisation.")] = True,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Set what a rule has everywhere (level, threshold, window, what narrows it), or what one organisation has of its own: all of it, what
    is not named is as in the rule."""
    if level and level not in LEVELS:
        raise typer.BadParameter(f"one of {', '.join(LEVELS)}", param_hint="--level")
    if not on and not org:
        raise typer.BadParameter("only for an organisation; for all of them: soc rules stage", param_hint="--off")
    settings, stores = stores_of(config, data_dir)
    wanted = _wanted(stores, rule, reason)
    own = OrgSetting(on, level or None, number(threshold), seconds(window), only.strip() or None)
    _lay_down(settings, stores, replace(wanted, setting=wanted.setting.having(org, own)))
    told = [f"level {level or 'of the rule'}", *([f"threshold {threshold}"] if threshold else []),
            *([f"window {window}"] if window else []), *([f"only {shown(only)}"] if only else [])]  # fmt: skip
    console().print(f"{rule}: {org or 'everywhere'}: {'on' if on else 'off'}, {', '.join(told)}")


@exceptions.command("list")
def list_(
    rule: Annotated[str | None, typer.Option(help="Only of this rule.", show_default=False)] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Every exception with its end; those that are over, too."""
    from api.tuning.exceptions import visible

    _, stores = stores_of(config, data_dir)
    found = visible(stores, EVERYTHING, rule)
    if json:
        for laid in found:
            listed = {"orgs": sorted(laid.exception.orgs), "version": laid.version, "by": laid.by, "at": laid.at}
            print_json(asdict(laid.exception) | listed)
        return
    table = Table("id", "rule", "condition", "organisations", "until", "reason", "owner", box=None, pad_edge=False)
    for laid in found:
        one = laid.exception
        until = "without end" if one.expires_at is None else local_time(one.expires_at)
        orgs = ", ".join(sorted(one.orgs)) or "all"
        table.add_row(one.id, one.rule_id, shown(one.condition), shown(orgs), until, shown(one.reason), one.owner)
    console().print(table if found else "No exceptions.")


@exceptions.command()
def preview(
    rule: RuleId, condition: Condition, org: Orgs = None, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """What an exception would have hidden in the last 30 days."""
    from api.tuning.exceptions import look

    settings, stores = stores_of(config, data_dir)
    me = _me()
    proposed = RuleException("new", rule, condition, "preview", me.name, frozenset(org or ()))
    _tell(look(stores, me, proposed, now_ms(), ZoneInfo(settings.detect.zone)))


@exceptions.command()
def add(
    rule: RuleId,
    condition: Condition,
    reason: Reason,
    org: Orgs = None,
    days: Annotated[int, typer.Option(min=0, max=3650, help="Until it is over; 0: without end.")] = 30,
    confirm: Confirm = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Lay an exception down. Needs one more reason where it would have hidden alerts that were confirmed true, or too much to look at."""
    from api.tuning.exceptions import create

    settings, stores = stores_of(config, data_dir)
    me, now = _me(), now_ms()
    expires_at = now + days * DAY_MS if days else None
    proposed = RuleException(
        "new", rule, condition, reason, me.name, frozenset(org or ()), expires_at, confirmed=confirm
    )
    laid = create(stores, me, proposed, now, ZoneInfo(settings.detect.zone))
    console().print(f"{laid.exception.id} holds until {local_time(expires_at) if expires_at else 'it is withdrawn'}")


@exceptions.command()
def withdraw(
    exception_id: Annotated[str, typer.Argument(help="Id of the exception.")],
    reason: Reason,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """End an exception now; its history stays."""
    from api.tuning import exceptions as acts

    _, stores = stores_of(config, data_dir)
    me = _me()
    version = acts.get(stores, exception_id, EVERYTHING).version
    acts.withdraw(stores, me, exception_id, version, reason, now_ms())
    console().print(f"{exception_id} is withdrawn")


def _me() -> Account:
    return Account(caller(), Role.ADMIN, EVERYTHING)


def _wanted(stores: Stores, rule_id: str, reason: str) -> Wanted:
    """What holds now, to be changed."""
    from api.tuning.settings import Wanted, current

    old, version = current(stores.policies, rule_id)
    return Wanted(old, version, reason)


def _lay_down(settings: Settings, stores: Stores, wanted: Wanted) -> None:
    from api.tuning.settings import lay_down

    zone = ZoneInfo(settings.detect.zone)
    lay_down(stores, _me(), wanted, now_ms(), zone, jobs=jobs_at(settings), budget=settings.tuning.daily_budget)


def _tell(seen: Preview) -> None:
    out = console()
    out.print(f"{seen.events} events and {seen.alerts} alerts hidden, {len(seen.confirmed)} of them confirmed true")
    for alert in seen.confirmed:
        out.print(f"  true: {alert}")
    if seen.touched > seen.alerts:
        out.print(f"{seen.touched - seen.alerts} more alerts with fewer events")
    if seen.gone:
        out.print(f"{seen.gone} findings whose events are no longer kept: nothing is known of them")
    if not seen.complete:
        out.print(f"only the first {seen.examined} findings were looked at")
