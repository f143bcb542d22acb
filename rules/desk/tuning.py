"""Tuning: what becomes of findings by what people laid down, between matching and storing.

Pure: settings, exceptions, findings and the time go in, so a backtest and the preview of a source use it as the detector does. Only
findings are looked at, never events that nothing fired on, so it costs nothing on the way of most.

An exception on a rule of single events asks the event's fields. One on a correlation asks what the correlation groups by, so that it
holds for a whole group or for none of it, whatever the order of arrival; to leave single events out of a correlation, except them from
its base rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from datetime import UTC, tzinfo
from itertools import chain
from typing import Any

from rules.desk.exception import compiled, narrowing
from soc.errors import QueryError
from soc.model.asked import Bounds, BoundsOf
from soc.model.canary import is_canary
from soc.model.event import Fields
from soc.model.finding import Finding, alert_id_in_test, finding_id, local_day
from soc.model.rule import RuleFault, Stage
from soc.model.tuning import OUTSIDE, Hidden, RuleException, RuleSetting, exception_body, setting_body
from soc.query.evaluate import predicate


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one finding. `enabled`: the rule is on in that organisation. `exception`: what hides it. `outside`: the rule is
    narrowed there, to something else."""

    stage: Stage
    enabled: bool
    exception: RuleException | None
    outside: bool = False

    @property
    def hidden_by(self) -> str | None:
        """What it is counted under."""
        if self.outside:
            return OUTSIDE
        return self.exception.id if self.exception else None

    @property
    def off(self) -> bool:
        """The rule does not run there."""
        return self.stage is Stage.DRAFT or not self.enabled


@dataclass(frozen=True, slots=True)
class Judged:
    """`kept`: what goes on, with its stage and level. `hidden`: what exceptions took out, counted. `off`: of rules that do not run for
    that organisation."""

    kept: list[Finding]
    hidden: list[Hidden]
    off: int


@dataclass(frozen=True, slots=True)
class _Excepted:
    """An exception with its condition made ready."""

    exception: RuleException
    holds: Callable[[Fields], bool]


class Tuning:
    """Compiled once, then asked for every batch; safe to share between threads.

    `zone`: of days, and of times in conditions that name none. `faults`: exceptions that cannot be read, each left out.
    """

    def __init__(
        self, settings: Iterable[RuleSetting] = (), exceptions: Iterable[RuleException] = (), zone: tzinfo = UTC
    ) -> None:
        self._zone = zone
        self._settings = {setting.rule_id: setting for setting in settings}
        self._excepted: dict[tuple[str, str | None], list[_Excepted]] = {}  # by rule and organisation, None for all
        self.faults: list[RuleFault] = []
        self._only = self._narrowed(zone)
        for exception in exceptions:
            try:
                holds = predicate(compiled(exception.condition, zone))
            except QueryError as error:
                self.faults.append(RuleFault(f"exception {exception.id}: {error}", rule_id=exception.rule_id))
                continue
            for org in exception.orgs or (None,):
                self._excepted.setdefault((exception.rule_id, org), []).append(_Excepted(exception, holds))
        self.bounds: BoundsOf = {rule_id: one.bounds for rule_id, one in self._settings.items() if one.bounds}
        self.drafts = frozenset(s.rule_id for s in self._settings.values() if s.stage is Stage.DRAFT)
        self._touched = self._settings.keys() | {rule_id for rule_id, _ in self._excepted}

    def _narrowed(self, zone: tzinfo) -> dict[tuple[str, str], Callable[[Fields], bool]]:
        """By rule and organisation, empty for all. One that cannot be read narrows nothing."""
        found = {}
        for rule_id, setting in self._settings.items():
            for org, only in (("", setting.only), *((org, own.only) for org, own in setting.orgs.items())):
                try:
                    if only is not None:
                        found[rule_id, org] = predicate(narrowing(only, zone))
                except QueryError as error:
                    where = f"for {org}" if org else "for all organisations"
                    self.faults.append(RuleFault(f"the condition that narrows it {where}: {error}", rule_id=rule_id))
        return found

    def all_live(self) -> Tuning:
        """The same with every rule live, which asks what a rule would raise whatever its stage."""
        other = copy(self)
        other._settings = {rule_id: replace(one, stage=Stage.LIVE) for rule_id, one in self._settings.items()}
        other.drafts = frozenset()
        return other

    def trying(self, rule_id: str, bounds: Bounds) -> Tuning:
        """The same with these in place of what any organisation has of them."""
        own: dict[str, Any] = {name: value for name, value in asdict(bounds).items() if value is not None}
        old = self._settings.get(rule_id, RuleSetting(rule_id))
        nothing: dict[str, Any] = dict.fromkeys(own)
        cleared = {org: replace(one, **nothing) for org, one in old.orgs.items()}
        other = copy(self)
        other._settings = {**self._settings, rule_id: replace(old, orgs=cleared, **own)}
        other.bounds = {**self.bounds, rule_id: other._settings[rule_id].bounds}
        return other

    def about(self, rule_ids: Collection[str]) -> list[object]:
        """All that is laid down about these rules, as JSON: two tunings that say the same of them treat them alike."""
        settings = {
            rule_id: setting_body(self._settings[rule_id]) for rule_id in sorted(rule_ids & self._settings.keys())
        }
        laid = {
            one.exception.id: exception_body(one.exception)
            for (rule_id, _), several in self._excepted.items()
            for one in several
            if rule_id in rule_ids
        }
        return [settings, dict(sorted(laid.items()))]

    def fate(self, finding: Finding, now: int, *, correlated: bool = False) -> Fate:
        """As `judge` decides, of one finding. The exception is looked for also where the rule does not run."""
        setting = self._settings.get(finding.rule_id)
        asked = _asked(finding, correlated)
        exception = self._excepting(finding, asked, now)
        if setting is None:
            return Fate(Stage.LIVE, True, exception)
        only = self._only.get((finding.rule_id, finding.org)) or self._only.get((finding.rule_id, ""))
        # A canary is made of what the rule's text asks for: that it lies outside says nothing of the rule.
        outside = only is not None and not only(asked) and not is_canary(finding.org)
        return Fate(setting.stage, setting.enabled_for(finding.org), exception, outside)

    def judge(self, findings: Sequence[Finding], now: int, *, correlated: bool = False) -> Judged:
        """What becomes of each. `now`: ms, the wall clock that exceptions end by. `correlated`: they are findings of correlations."""
        kept, hidden, off = list[Finding](), Counter[tuple[str, str, str, str]](), 0
        for finding in findings:
            if finding.rule_id not in self._touched:
                kept.append(finding)
                continue
            fate = self.fate(finding, now, correlated=correlated)
            if fate.off:
                off += 1
            elif hidden_by := fate.hidden_by:
                hidden[finding.rule_id, hidden_by, finding.org, local_day(finding.ts, self._zone)] += 1
            else:
                kept.append(self._tuned(finding))
        return Judged(kept, [Hidden(*key, number) for key, number in hidden.items()], off)

    def _excepting(self, finding: Finding, asked: Fields, now: int) -> RuleException | None:
        """The first exception that holds for it now, its organisation's own first; `asked`: the fields that conditions ask."""
        own, everybodys = (self._excepted.get((finding.rule_id, org), ()) for org in (finding.org, None))
        for one in chain(own, everybodys):
            if not one.exception.over(now) and one.holds(asked):
                return one.exception
        return None

    def only_for(self, rule_id: str, org: str) -> str | None:
        """The condition that narrows the rule there."""
        setting = self._settings.get(rule_id)
        return setting.only_for(org) if setting else None

    def runs(self, rule_id: str, org: str) -> bool:
        """Whether it is evaluated for that organisation: live or in test, and not switched off there."""
        setting = self._settings.get(rule_id)
        return setting is None or (setting.stage is not Stage.DRAFT and setting.enabled_for(org))

    def _tuned(self, finding: Finding) -> Finding:
        setting = self._settings.get(finding.rule_id)
        if setting is None or finding.silent:
            return finding
        level = setting.level_for(finding.org)
        if setting.stage is Stage.TEST:
            alert = alert_id_in_test(finding.alert_id)
            return replace(
                finding, id=finding_id(alert, finding.event_id), alert_id=alert, stage=Stage.TEST, level=level
            )
        return replace(finding, level=level) if level else finding


def _asked(finding: Finding, correlated: bool) -> Fields:
    if finding.event is not None and not correlated:
        return finding.event.fields
    return finding.matched | {"organization.id": finding.org}
