"""The rules page and the page of one rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from api.auth import Viewer
from api.errors import of_soc
from api.ledger import recent, totals
from api.state import Here, State
from api.tuning import settings
from api.tuning.overview import overview
from api.tuning.ratio import ratio
from rules.desk.blind import unfed
from soc.errors import SocError
from soc.model.account import Account, Role
from soc.model.asked import written
from soc.model.finding import LEVELS
from soc.model.ledger import Total
from soc.model.rule import RuleDoc, Stage
from soc.model.tuning import RuleSetting
from soc.query.fold import fold

router = APIRouter(prefix="/rules")


_SHOWN = 500


@router.get("")
def rules_page(
    request: Request,
    state: Here,
    account: Viewer,
    q: Annotated[str, Query(max_length=100)] = "",
    stage: Annotated[Stage | Literal[""], Query()] = "",
) -> Response:
    """`q`: of what is in a rule's title, id, package or tags."""
    rules, faults = state.rules.running()
    counts = state.stores.alerts.by_rule(account.scope)
    verdicts = state.stores.alerts.verdicts(account.scope)
    laid, counted = settings.all_current(state.stores.policies), totals(state, account.scope)
    rank = {level: -at for at, level in enumerate(LEVELS)}
    ordered = sorted(rules, key=lambda r: (-counts.get(r.id, 0), rank.get(r.level, 0), r.title))
    staged = ((r, laid.get(r.id, RuleSetting(r.id))) for r in ordered if _named(r, q))
    found = [(r, setting) for r, setting in staged if not stage or setting.stage is stage]
    rows = [(r, setting, ratio(verdicts.get(r.id, {})), counted.get(r.id, Total())) for r, setting in found[:_SHOWN]]
    live = {source.type for source in state.stores.sources.list(account.scope) if source.enabled}
    return state.pages.html(
        request,
        "rules.html",
        account=account,
        rules=rows,
        number=len(rules),
        found=len(found),
        q=q,
        stage=stage,
        stages=list(Stage),
        faults=faults,
        counts=counts,
        in_force=state.rules.in_force(),
        unfed=unfed(rules, live),
    )


def _named(rule: RuleDoc, text: str) -> bool:
    names = (rule.title, *rule.titles.values(), rule.id, rule.package, *rule.tags)
    return not text or any(fold(text) in fold(name) for name in names)


@router.get("/{rule_id}")
def rule_page(
    rule_id: Annotated[str, Path(max_length=200)], request: Request, state: Here, account: Viewer
) -> Response:
    return show_rule(rule_id, request, state, account)


def show_rule(
    rule_id: str,
    request: Request,
    state: State,
    account: Account,
    *,
    error: SocError | None = None,
    kept: Mapping[str, str] | None = None,
) -> Response:
    """The page of a rule. `error`: why it was not tuned, with what was filled in."""
    seen = overview(state, account.scope, rule_id)
    return state.pages.html(
        request,
        "rule.html",
        200 if error is None else of_soc(error).status,
        account=account,
        seen=seen,
        rule=seen.rule,
        canary=state.stores.alerts.canaries().get(rule_id),
        cost=state.stores.alerts.costs().get(rule_id),
        recent=recent(state, account.scope, rule_id),
        now=state.clock(),
        error=error,
        kept=kept or _as_filled_in(seen.setting),
        stages=list(Stage),
        levels=LEVELS[::-1],
        may_tune=account.role.includes(Role.ADMIN),
        all_orgs=account.scope.orgs is None,
    )


def _as_filled_in(setting: RuleSetting) -> Mapping[str, str]:
    return {
        "stage": setting.stage,
        "level": setting.level or "",
        "threshold": "" if setting.threshold is None else f"{setting.threshold:.15g}",
        "timespan": written(setting.timespan_s) if setting.timespan_s else "",
        "only": setting.only or "",
        "reason": "",
    }
