"""Tuning a rule from its page, and an exception from an alert's page: forms that work without JavaScript."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import Admin, Viewer
from api.console.rules import show_rule
from api.errors import NeedsReason, Refused, of_soc
from api.schemas import AlertId, Level, Name
from api.state import Here, State
from api.tuning import exceptions, settings
from api.tuning.history import revisions
from api.tuning.preview import OBSERVED, Preview
from soc.errors import ConfigError, Conflict, Forbidden, NotFound, QueryError, SocError
from soc.model import anomaly, unusual
from soc.model.account import Account, Role
from soc.model.alert import Alert
from soc.model.asked import number, seconds
from soc.model.calendar import DAY_MS
from soc.model.event import Value
from soc.model.finding import COUNTED, Finding
from soc.model.org import Scope
from soc.model.rule import RuleDoc, Stage
from soc.model.tuning import MAX_CONDITION, MAX_REASON, OrgSetting, RuleException

router = APIRouter()
_MOST_TERMS = 4
_ABOUT = tuple(f"{field}what" for field in (anomaly.FIELD, unusual.FIELD))  # what names a series, or somebody
_SAID = (Refused, Conflict, Forbidden, QueryError)  # what a page says itself, with the form as it was filled in

RuleId = Annotated[str, Path(max_length=200)]
ExceptionId = Annotated[str, Path(max_length=200)]
Text = Annotated[str, Form(max_length=MAX_REASON)]


class Act(StrEnum):
    PREVIEW = "preview"
    SAVE = "save"


@router.post("/rules/{rule_id}/setting")
def set_rule(
    rule_id: RuleId,
    request: Request,
    state: Here,
    account: Admin,
    version: Annotated[int, Form(ge=0, le=2**53)],
    reason: Text = "",
    stage: Annotated[Stage | None, Form()] = None,
    level: Annotated[Level | Literal[""], Form()] = "",
    org: Annotated[Name, Form()] = "",
    enabled: Annotated[bool, Form()] = False,
    threshold: Annotated[str, Form(max_length=40)] = "",
    timespan: Annotated[str, Form(max_length=20)] = "",
    only: Annotated[str, Form(max_length=MAX_CONDITION)] = "",
    confirm: Text = "",
) -> Response:
    """What holds everywhere, or with `org` what that organisation has of its own. What is left empty is as in the rule."""
    filled = {
        "stage": stage or "",
        "level": level,
        "threshold": threshold,
        "timespan": timespan,
        "only": only,
        "reason": reason,
    }
    try:
        settings.running(state.stores.alerts, rule_id)
        old, _ = settings.current(state.stores.policies, rule_id)
        setting = old.inside(account.scope)
        own = _own(enabled, level, threshold, timespan, only)
        setting = setting.having(org.strip(), own)
        if not org.strip():
            setting = replace(setting, stage=stage or old.stage)
        wanted = settings.Wanted(setting, version, reason.strip(), confirm.strip())
        if not wanted.reason:
            raise Refused("say why: the history keeps it")
        settings.lay_down(
            state.stores, account, wanted, state.clock(), state.zone, jobs=state.backtests, budget=state.daily_budget
        )
    except _SAID as error:
        return show_rule(rule_id, request, state, account, error=error, kept=None if org else filled)
    return _to_rule(rule_id, "tuning")


def _own(enabled: bool, level: str, threshold: str, timespan: str, only: str) -> OrgSetting:
    try:
        return OrgSetting(enabled, level or None, number(threshold), seconds(timespan), only.strip() or None)
    except ConfigError as error:
        raise Refused(str(error)) from None


@router.get("/exceptions/{exception_id}")
def exception_page(exception_id: ExceptionId, request: Request, state: Here, account: Viewer) -> Response:
    """What it hides, and every version of it with what each changed, also when it is withdrawn."""
    return _exception_page(exception_id, request, state, account)


def _exception_page(
    id_: str, request: Request, state: State, account: Account, error: SocError | None = None
) -> Response:
    found = exceptions.versions(state.stores, id_, account.scope)
    try:
        laid = exceptions.get(state.stores, id_, account.scope)
    except NotFound:
        laid = None
    return state.pages.html(
        request,
        "exception_history.html",
        200 if error is None else of_soc(error).status,
        account=account,
        id=id_,
        rule_id=exceptions.rule_of(found),
        laid=laid,
        history=revisions(found, account.scope),
        error=error,
        may_tune=account.role.includes(Role.ADMIN),
    )


@router.post("/exceptions/{exception_id}/withdraw")
def withdraw(
    exception_id: ExceptionId,
    request: Request,
    state: Here,
    account: Admin,
    version: Annotated[int, Form(ge=0, le=2**53)],
    reason: Text = "",
) -> Response:
    rule_id = exceptions.get(state.stores, exception_id, account.scope).exception.rule_id
    try:
        if not reason.strip():
            raise Refused("say why: the history keeps it")
        exceptions.withdraw(state.stores, account, exception_id, version, reason.strip(), state.clock())
    except _SAID as error:
        if rule_id.startswith(OBSERVED):
            return _exception_page(exception_id, request, state, account, error)
        return show_rule(rule_id, request, state, account, error=error)
    return _to_exceptions(rule_id, exception_id)


@router.get("/alerts/{alert_id}/exception")
def exception_form(alert_id: AlertId, request: Request, state: Here, account: Admin) -> Response:
    """Filled in from what made the rule fire."""
    alert = state.stores.alerts.get(alert_id, account.scope)
    findings = state.stores.alerts.findings(alert_id, account.scope, limit=1).items
    condition = suggested(alert, findings[0] if findings else None)
    proposed = RuleException(
        "new", alert.rule_id, condition, "", account.name, frozenset({alert.org}), created_from=alert_id
    )
    return _form(request, state, account, alert, proposed, days=30)


@router.post("/alerts/{alert_id}/exception")
def make_exception(
    alert_id: AlertId,
    request: Request,
    state: Here,
    account: Admin,
    action: Annotated[Act, Form()],
    condition: Annotated[str, Form(max_length=MAX_CONDITION)] = "",
    orgs: Annotated[str, Form(max_length=4000)] = "",
    reason: Text = "",
    owner: Annotated[Name, Form()] = "",
    days: Annotated[int, Form(ge=0, le=3650)] = 0,
    confirm: Text = "",
) -> Response:
    """`days`: until it is over, 0 for never. `orgs`: agency codes with spaces or commas between, none for all. `owner`: empty for who
    asks."""
    alert = state.stores.alerts.get(alert_id, account.scope)
    now = state.clock()
    proposed = RuleException(
        id="new",
        rule_id=alert.rule_id,
        condition=condition.strip(),
        reason=reason.strip(),
        owner=owner.strip() or account.name,
        orgs=frozenset(orgs.replace(",", " ").split()),
        expires_at=now + days * DAY_MS if days else None,
        created_from=alert_id,
        confirmed=confirm.strip(),
    )
    if action is Act.PREVIEW:
        return _form(request, state, account, alert, proposed, days)
    try:
        if not proposed.reason:
            raise Refused("say why: the history keeps it")
        made = exceptions.create(state.stores, account, proposed, now, state.zone)
    except _SAID as error:
        return _form(request, state, account, alert, proposed, days, error)
    return _to_exceptions(alert.rule_id, made.exception.id)


def suggested(alert: Alert, finding: Finding | None) -> str:
    """The alert's entity, and what else made the rule fire: short values first, as whole fields. Of what the observer found by name what
    it is about: its figures never come again."""
    matched = finding.matched if finding else {}
    about = next((name for name in _ABOUT if name in matched), None)
    if about is not None and alert.rule_id.startswith(OBSERVED):
        return f"{about}:{_quoted(str(matched[about]))}"[:MAX_CONDITION]
    terms = {alert.entity_field: alert.entity} if ", " not in alert.entity_field else {}
    for name, value in sorted(matched.items(), key=lambda pair: len(str(pair[1]))):
        if _term(value) and not name.startswith(COUNTED) and len(terms) < _MOST_TERMS:
            terms.setdefault(name, str(value))
    return " AND ".join(f"{name}:{_quoted(value)}" for name, value in terms.items())[:MAX_CONDITION]


def _term(value: Value) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and 0 < len(str(value)) <= 300


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _form(
    request: Request,
    state: State,
    account: Account,
    alert: Alert,
    proposed: RuleException,
    days: int,
    error: SocError | None = None,
) -> Response:
    """With the numbers, where they can be counted; `error`: why it was not saved."""
    seen: Preview | None = None
    try:
        seen = exceptions.look(state.stores, account, proposed, state.clock(), state.zone)
    except _SAID as why:
        error = error or why
    return state.pages.html(
        request,
        "exception.html",
        200 if error is None else of_soc(error).status,
        account=account,
        alert=alert,
        rule=_rule(state, alert),
        proposed=proposed,
        days=days,
        seen=seen,
        error=error,
        confirm=isinstance(error, NeedsReason) or bool(seen and exceptions.doubt(seen)),
        all_orgs=account.scope == Scope(None),
    )


def _rule(state: State, alert: Alert) -> RuleDoc | None:
    return state.rules.get(alert.rule_hash)


def _to_exceptions(rule_id: str, exception_id: str) -> Response:
    """Where it is shown: what the observer finds has no page of a rule."""
    if rule_id.startswith(OBSERVED):
        return RedirectResponse(f"/exceptions/{quote(exception_id, safe='')}", 303)
    return _to_rule(rule_id, "exceptions")


def _to_rule(rule_id: str, part: str) -> Response:
    return RedirectResponse(f"/rules/{quote(rule_id, safe='')}#{part}", 303)
