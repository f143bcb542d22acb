"""A rule's setting: its stage, its level, and what organisations have of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from api.errors import NeedsReason, Refused
from soc.errors import ConfigError, Forbidden, NotFound
from soc.model.account import Account
from soc.model.org import EVERYTHING
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc, Stage
from soc.model.tuning import OrgSetting, RuleSetting, setting_body, setting_of
from soc.store.base import AlertStore, AuditEntry, PolicyStore, Stores

DAILY_BUDGET = 60.0
_WEEK_DAYS = 7
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """`orgs`: all that the organisations inside the caller's scope have of their own. `confirm`: why it is right over the budget."""

    rule_id: str
    version: int
    stage: Stage
    level: str | None
    reason: str
    orgs: Mapping[str, OrgSetting] = field(default_factory=dict)
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Alerts a day: what this rule would add, and what the live rules raise now."""

    added: float
    live: float

    @property
    def total(self) -> float:
        return self.added + self.live


# What a rule would raise, alerts a day: from the stored ones, or from a backtest.
Expect = Callable[[AlertStore, str, int], float]


def in_test(alerts: AlertStore, rule_id: str, now: int) -> float:
    """What it raised in test, alerts a day over the last week."""
    found = alerts.by_rule(EVERYTHING, stage=Stage.TEST, since=now - _WEEK_DAYS * _DAY_MS)
    return found.get(rule_id, 0) / _WEEK_DAYS


def forecast(alerts: AlertStore, rule_id: str, now: int, expect: Expect = in_test) -> Forecast:
    live = alerts.by_rule(EVERYTHING, since=now - _WEEK_DAYS * _DAY_MS)
    return Forecast(expect(alerts, rule_id, now), sum(live.values()) / _WEEK_DAYS)


def running(alerts: AlertStore, rule_id: str) -> RuleDoc:
    """Raises `NotFound`."""
    for rule in alerts.running()[0]:
        if rule.id == rule_id:
            return rule
    raise NotFound("no such rule is running")


def current(policies: PolicyStore, rule_id: str) -> tuple[RuleSetting, int]:
    """The setting and its version; version 0 is what holds where nobody has laid anything down.

    One that cannot be read counts for nothing, here as in the detector, which says so; it can be laid down anew.
    """
    versions: Sequence[Policy] = policies.history(PolicyKind.RULE, rule_id)
    if not versions:
        return RuleSetting(rule_id), 0
    latest = versions[-1]
    return _read(latest) or RuleSetting(rule_id), latest.version


def all_current(policies: PolicyStore) -> dict[str, RuleSetting]:
    """As `current`, of every rule that has one."""
    return {policy.id: found for policy in policies.list(PolicyKind.RULE) if (found := _read(policy))}


def _read(policy: Policy) -> RuleSetting | None:
    try:
        return None if policy.body is None else setting_of(policy.id, policy.body)
    except ConfigError:
        return None


def lay_down(
    stores: Stores,
    account: Account,
    wanted: Wanted,
    now: int,
    *,
    budget: float = DAILY_BUDGET,
    expect: Expect = in_test,
) -> RuleSetting:
    """Raises `NotFound` (no such rule), `Forbidden` (what is everybody's, or another's), `NeedsReason` and `Conflict`."""
    running(stores.alerts, wanted.rule_id)
    old, _ = current(stores.policies, wanted.rule_id)
    new = _allowed(account, old, wanted)
    if new.stage is Stage.LIVE and old.stage is not Stage.LIVE and not wanted.confirm:
        _check_budget(forecast(stores.alerts, wanted.rule_id, now, expect), budget)
    reason = f"{wanted.reason} (over the budget: {wanted.confirm})" if wanted.confirm else wanted.reason
    body = setting_body(new)
    try:  # one that could not be read back would count for nothing: the rule would be live for everybody
        setting_of(wanted.rule_id, body)
    except ConfigError as error:
        raise Refused(str(error)) from None
    stores.policies.put(Policy(PolicyKind.RULE, wanted.rule_id, wanted.version + 1, body, account.name, now, reason))
    stores.audit.record(AuditEntry(now, account.name, "rule.setting", wanted.rule_id, f"stage {new.stage}: {reason}"))
    return new


def _allowed(account: Account, old: RuleSetting, wanted: Wanted) -> RuleSetting:
    """The new setting, where this account may make it: whose scope is some organisations changes what these have, nothing else."""
    for org in wanted.orgs:
        if not account.scope.allows(org):
            raise Forbidden("one of these organisations is not yours")
    if account.scope.orgs is not None and (wanted.stage, wanted.level) != (old.stage, old.level):
        raise Forbidden(
            "the stage and the level of a rule are everybody's: you may set what your organisations have of their own"
        )
    others = {org: own for org, own in old.orgs.items() if not account.scope.allows(org)}
    own = {org: setting for org, setting in wanted.orgs.items() if setting != OrgSetting()}
    return RuleSetting(wanted.rule_id, wanted.stage, wanted.level, others | own)


def _check_budget(expected: Forecast, budget: float) -> None:
    if expected.total > budget:
        raise NeedsReason(
            f"live, the rule would add {expected.added:.1f} alerts a day to {expected.live:.1f}, and the budget is {budget:g} a day: "
            "keep it in test and tune it, or say in confirm_reason why it is right"
        )
