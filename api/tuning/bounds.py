"""Thresholds, windows and what narrows a rule: whether the rule takes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from api.errors import Refused
from rules.desk.exception import fields, narrowing
from soc.errors import ConfigError
from soc.model.asked import Bounds
from soc.model.rule import RuleDoc
from soc.model.tuning import OrgSetting, RuleSetting


def check_fits(rule: RuleDoc, old: RuleSetting, new: RuleSetting, zone: tzinfo) -> None:
    """Of what is new. Raises `Refused` and `QueryError` with what is wrong, and where."""
    before = dict(_places(old))
    for org, own in _places(new):
        if own != before.get(org):
            where = f"for {org}" if org else "everywhere"
            check_bounds(rule, Bounds(own.threshold, own.timespan_s), where)
            if own.only is not None:
                _check_only(rule, own.only, zone)


def check_bounds(rule: RuleDoc, bounds: Bounds, where: str) -> None:
    """Raises `Refused`."""
    if not bounds.set:
        return
    if rule.asked is None:
        raise Refused("this rule looks at single events: only what counts them has a threshold and a window")
    try:
        rule.asked.check(bounds)
    except ConfigError as error:
        raise Refused(f"{where}: {error}") from None


def grown(rule: RuleDoc, old: RuleSetting, new: RuleSetting) -> str:
    """For the audit: where a window grew."""
    text = rule.asked.timespan_s if rule.asked else 0
    before, after = (
        {org: bounds.timespan_s or text for org, bounds in setting.bounds.items()} for setting in (old, new)
    )
    longer = sorted(
        org or "everywhere"
        for org in before | after
        if after.get(org, after.get("", text)) > before.get(org, before.get("", text))
    )
    if not longer:
        return ""
    return f"; the window is longer ({', '.join(longer)}): what the shorter one had forgotten does not count any more"


def _places(setting: RuleSetting) -> Iterator[tuple[str, OrgSetting]]:
    """What is laid down for all organisations, under the empty name, and for each."""
    yield "", OrgSetting(True, None, setting.threshold, setting.timespan_s, setting.only)
    yield from setting.orgs.items()


def _check_only(rule: RuleDoc, only: str, zone: tzinfo) -> None:
    others = sorted(fields(narrowing(only, zone)) - {*rule.group_by, "organization.id"})
    if rule.bases and others:
        by = ", ".join(rule.group_by) or "nothing"
        raise Refused(
            f"this rule counts what other rules find, by {by}: what narrows it cannot ask {others[0]}. "
            f"To count fewer events, narrow {' or '.join(rule.bases)}"
        )
