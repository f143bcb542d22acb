"""A rule's setting: its stage, its level, how much it asks for, what narrows it, and what organisations have of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from api.errors import NeedsReason, Refused
from api.tuning.bounds import check_fits, grown
from api.tuning.budget import DAILY_BUDGET, Past, doubt, expected, live_a_day
from api.tuning.history import changes
from soc.backtest.jobs import Jobs
from soc.errors import ConfigError, Forbidden, NotFound
from soc.model.account import Account
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc, Stage
from soc.model.tuning import OrgSetting, RuleSetting, setting_body, setting_of
from soc.store.base import AlertStore, AuditEntry, PolicyStore, Stores

_DETAIL = 2000  # characters of an audit entry


@dataclass(frozen=True, slots=True)
class Wanted:
    """`setting`: of organisations, all that those inside the caller's scope have of their own. `version`: the one that it was made from.
    `confirm`: why it is right over the budget, or not known."""

    setting: RuleSetting
    version: int
    reason: str
    confirm: str = ""


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


def past_of(policies: PolicyStore, rule_id: str) -> Past:
    """Where it was moved to, and when. What could not be read counted for nothing: the rule was live."""
    return [
        (policy.at, found.stage if (found := _read(policy)) else Stage.LIVE)
        for policy in policies.history(PolicyKind.RULE, rule_id)
    ]


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
    zone: tzinfo,
    *,
    jobs: Jobs,
    budget: float = DAILY_BUDGET,
) -> RuleSetting:
    """Raises `NotFound` (no such rule), `Forbidden` (what is everybody's, or another's), `QueryError` and `Refused` (what the rule does
    not take), `NeedsReason` and `Conflict`."""
    rule_id = wanted.setting.rule_id
    rule = running(stores.alerts, rule_id)
    old, version = current(stores.policies, rule_id)
    new = _allowed(account, old, wanted.setting)
    check_fits(rule, old, new, zone)
    goes_live = new.stage is Stage.LIVE and old.stage is not Stage.LIVE and wanted.version == version
    unsure = _unsure(stores, jobs, rule, now, budget) if goes_live else None
    if unsure and not wanted.confirm:
        raise NeedsReason(unsure)
    reason = f"{wanted.reason} (right all the same: {wanted.confirm})" if unsure else wanted.reason
    body = setting_body(new)
    try:  # one that could not be read back would count for nothing: the rule would be live for everybody
        setting_of(rule_id, body)
    except ConfigError as error:
        raise Refused(str(error)) from None
    stores.policies.put(Policy(PolicyKind.RULE, rule_id, wanted.version + 1, body, account.name, now, reason))
    detail = f"stage {new.stage}: {reason}; {changes(setting_body(old), body)}{grown(rule, old, new)}"
    stores.audit.record(AuditEntry(now, account.name, "rule.setting", rule_id, detail[:_DETAIL]))
    return new


def _allowed(account: Account, old: RuleSetting, wanted: RuleSetting) -> RuleSetting:
    """The new setting, where this account may make it: whose scope is some organisations changes what these have, nothing else."""
    for org in wanted.orgs:
        if not account.scope.allows(org):
            raise Forbidden("one of these organisations is not yours")
    if account.scope.orgs is not None and replace(wanted, orgs={}) != replace(old, orgs={}):
        raise Forbidden(
            "what a rule has everywhere, such as its stage and its level, is everybody's: you may set what your organisations have of "
            "their own"
        )
    others = {org: own for org, own in old.orgs.items() if not account.scope.allows(org)}
    own = {org: setting for org, setting in wanted.orgs.items() if setting != OrgSetting()}
    return replace(wanted, orgs=others | own)


def _unsure(stores: Stores, jobs: Jobs, rule: RuleDoc, now: int, budget: float) -> str | None:
    found = expected(stores.alerts, jobs, rule, past_of(stores.policies, rule.id), now)
    live = live_a_day(stores.alerts, lambda rule_id: past_of(stores.policies, rule_id), now)
    return doubt(found, live, budget)
