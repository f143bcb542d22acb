"""The rules page and the page of one rule."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.auth import Viewer
from api.state import Here
from soc.errors import NotFound
from soc.model.finding import LEVELS

router = APIRouter(prefix="/rules")


@router.get("")
def rules_page(request: Request, state: Here, account: Viewer) -> Response:
    rules, faults = state.rules.running()
    counts = state.stores.alerts.by_rule(account.scope)
    rank = {level: -at for at, level in enumerate(LEVELS)}
    ordered = sorted(rules, key=lambda r: (-counts.get(r.id, 0), rank.get(r.level, 0), r.title))
    return state.pages.html(request, "rules.html", account=account, rules=ordered, faults=faults, counts=counts)


@router.get("/{rule_id}")
def rule_page(
    rule_id: Annotated[str, Path(max_length=200)], request: Request, state: Here, account: Viewer
) -> Response:
    for rule in state.rules.running()[0]:
        if rule.id == rule_id:
            count = state.stores.alerts.by_rule(account.scope).get(rule_id, 0)
            return state.pages.html(request, "rule.html", account=account, rule=rule, count=count)
    raise NotFound("no such rule is running")
