"""Rules: what is looked for, and which rules cannot work."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.auth import Viewer
from api.schemas import FaultOut, RuleOut, RulesOut
from api.state import Here
from soc.errors import NotFound

router = APIRouter(prefix="/rules", tags=["rules"])


@router.get("")
def list_rules(state: Here, account: Viewer) -> RulesOut:
    """The rules that run now, each with the alerts you may see, and every rule that cannot work with file, line, reason."""
    rules, faults = state.rules.running()
    alerts = state.stores.alerts.by_rule(account.scope)
    return RulesOut(
        items=[RuleOut.of(rule, alerts=alerts.get(rule.id, 0), text=False) for rule in rules],
        faults=[FaultOut.of(fault) for fault in faults],
    )


@router.get("/{rule_id}")
def get_rule(rule_id: Annotated[str, Path(max_length=200)], state: Here, account: Viewer) -> RuleOut:
    for rule in state.rules.running()[0]:
        if rule.id == rule_id:
            return RuleOut.of(rule, alerts=state.stores.alerts.by_rule(account.scope).get(rule_id, 0))
    raise NotFound("no such rule is running")
