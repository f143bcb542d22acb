"""Asking for a backtest: what may be asked, and who is written down for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.errors import Refused
from api.state import State
from api.tuning.bounds import check_bounds
from rules.load.folders import loads
from soc.backtest.jobs import Job, Kind
from soc.errors import NotFound, RuleError
from soc.model.account import Account
from soc.model.asked import Bounds
from soc.store.base import AuditEntry

LONGEST_RULE = 48 << 10
MOST_DAYS = 366
JobId = Annotated[str, Path(pattern="^[0-9a-f]{24}$")]


def start(
    state: State,
    account: Account,
    days: int,
    *,
    rule_id: str | None = None,
    text: str | None = None,
    bounds: Bounds | None = None,
) -> Job:
    """`bounds`: what a running rule is to ask for instead.

    Raises `Refused`, `NotFound`, `RuleError` for a text that is no rule, and `Busy` while another one runs.
    """
    if (rule_id is None) == (text is None):
        raise Refused("name a running rule, or give the text of one")
    if text is not None:
        loaded = loads(text, "rule")
        if loaded.errors:
            raise loaded.errors[0]
        if not loaded.rules:
            raise RuleError("there is no rule in it", "rule")
        if bounds and bounds.set:
            raise Refused("a new text says itself what it asks for")
    else:
        rule = next((rule for rule in state.rules.running()[0] if rule.id == rule_id), None)
        if rule is None:
            raise NotFound("no such rule is running")
        check_bounds(rule, bounds or Bounds(), "this backtest")
    now = state.clock()
    job = state.backtests.start(
        account.scope, by=account.name, at=now, days=days, rule_id=rule_id, text=text, bounds=bounds
    )
    asked = "" if job.as_it_is else f", threshold {job.threshold}, window {job.timespan_s} s"
    what = (rule_id or "a new text") + asked
    state.stores.audit.record(AuditEntry(now, account.name, "backtest.start", job.id, what))
    return job


def change(state: State, account: Account, job_id: str, act: str, kind: Kind = Kind.RULE) -> None:
    """`act`: as the buttons of its page name it. Raises `Refused`, `NotFound` and, where it is to go on, `Busy` while another one runs."""
    if act == "resume":
        state.backtests.resume(job_id, account.scope, kind)
    elif act == "stop":
        state.backtests.stop(job_id, account.scope, kind)
    else:
        raise Refused("a backtest is stopped or goes on")
