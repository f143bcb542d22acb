"""Rules: what is looked for, how each is tuned and does, and which rules cannot work."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime

from api.auth import Admin, Viewer
from api.ledger import CanaryOut, LedgerOut, Per, StatsOut, ledger, totals
from api.schemas import FaultOut, ItemsOut, RuleOut, ms
from api.state import Here
from api.tuning import settings
from api.tuning.overview import Overview, overview
from api.tuning.ratio import ratio
from api.tuning.shapes import (
    AskedOut,
    ExceptionOut,
    HiddenOut,
    InForceOut,
    RatioOut,
    RevisionOut,
    RuleDetail,
    RuleListed,
    RulesListed,
    SettingIn,
    SettingOut,
)
from soc.model.ledger import Total
from soc.model.rule import RuleDoc
from soc.model.tuning import RuleSetting

router = APIRouter(prefix="/rules", tags=["rules"])
RuleId = Annotated[str, Path(max_length=200)]


@router.get("")
def list_rules(state: Here, account: Viewer) -> RulesListed:
    """The rules that run now, each with the alerts you may see, and every rule that cannot work with file, line, reason."""
    rules, faults = state.rules.running()
    alerts, verdicts = state.stores.alerts.by_rule(account.scope), state.stores.alerts.verdicts(account.scope)
    laid, counted = settings.all_current(state.stores.policies), totals(state, account.scope)

    def listed(rule: RuleDoc) -> RuleListed:
        out = RuleOut.of(rule, alerts=alerts.get(rule.id, 0), text=False)
        setting = laid.get(rule.id, RuleSetting(rule.id))
        told = RatioOut.of(ratio(verdicts.get(rule.id, {})))
        stats = StatsOut.of(counted.get(rule.id, Total()))
        return RuleListed(**out.model_dump(), stage=setting.stage, level_set=setting.level, ratio=told, stats=stats)

    in_force = state.rules.in_force()
    return RulesListed(
        items=[listed(rule) for rule in rules],
        in_force=InForceOut.of(in_force) if in_force else None,
        faults=[FaultOut.of(fault) for fault in faults],
    )


@router.get("/{rule_id}")
def get_rule(rule_id: RuleId, state: Here, account: Viewer) -> RuleDetail:
    """With how it is tuned, what that hides, and how often it was wrong."""
    return _detail(overview(state, account.scope, rule_id), state, totals(state, account.scope).get(rule_id, Total()))


@router.put("/{rule_id}/setting")
def set_rule(rule_id: RuleId, wanted: SettingIn, state: Here, account: Admin) -> SettingOut:
    """Stage, level, threshold, window, what narrows it, and what organisations have of their own.

    409 when somebody changed it since `version`; 422 `needs-reason` when a rule that goes live would raise more than the analysts can
    work on, or when nobody knows how much.
    """
    new = settings.lay_down(
        state.stores,
        account,
        settings.Wanted(wanted.setting(rule_id), wanted.version, wanted.reason, wanted.confirm_reason or ""),
        state.clock(),
        state.zone,
        jobs=state.backtests,
        budget=state.daily_budget,
    )
    return SettingOut.of(new.inside(account.scope), wanted.version + 1)


@router.get("/{rule_id}/history")
def rule_history(rule_id: RuleId, state: Here, account: Viewer) -> ItemsOut[RevisionOut]:
    """Who changed what of its setting and why, oldest first."""
    return ItemsOut(items=[RevisionOut.of(one) for one in overview(state, account.scope, rule_id).history])


@router.get("/{rule_id}/ledger")
def rule_ledger(
    rule_id: RuleId,
    state: Here,
    account: Viewer,
    since: Annotated[AwareDatetime | None, Query(description="the last 24 hours by default")] = None,
    until: AwareDatetime | None = None,
    per: Per = Per.HOUR,
    org: Annotated[str | None, Query(max_length=200)] = None,
) -> LedgerOut:
    """What became of what it found, by the hour or minute in which the detector did it; minutes are kept for 14 days, hours for 400."""
    return ledger(state, account.scope, rule_id, ms(since), ms(until), per, org)


def _detail(seen: Overview, state: Here, total: Total) -> RuleDetail:
    cost = state.stores.alerts.costs().get(seen.rule.id)
    out, canary = RuleOut.of(seen.rule, alerts=seen.alerts), state.stores.alerts.canaries().get(seen.rule.id)
    return RuleDetail(
        **out.model_dump(),
        stage=seen.setting.stage,
        level_set=seen.setting.level,
        ratio=RatioOut.of(seen.ratio),
        stats=StatsOut.of(total),
        setting=SettingOut.of(seen.setting, seen.version),
        asked=AskedOut.of(seen.rule.asked) if seen.rule.asked else None,
        tested=seen.tested,
        test_days=seen.test_days,
        exceptions=[ExceptionOut.of(laid, state.clock()) for laid in seen.exceptions],
        hidden=[HiddenOut.of(one) for one in seen.hidden],
        history=[RevisionOut.of(one) for one in seen.history],
        faults=[FaultOut.of(fault) for fault in seen.faults],
        cost_seconds=None if cost is None else cost.seconds,
        canary=None if canary is None else CanaryOut.of(canary),
    )
