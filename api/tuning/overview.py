"""All that is to be seen of one rule, for the API and the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.state import State
from api.tuning import exceptions, settings
from api.tuning.budget import WINDOW_DAYS, days_in
from api.tuning.exceptions import Laid
from api.tuning.history import Revision, revisions
from api.tuning.ratio import Ratio, ratio
from soc.errors import NotFound
from soc.model.calendar import DAY_MS
from soc.model.finding import local_day
from soc.model.org import Scope
from soc.model.policy import PolicyKind
from soc.model.rule import RuleDoc, RuleFault, Stage
from soc.model.tuning import OUTSIDE, Hidden, RuleSetting, setting_body

HIDDEN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Overview:
    """`alerts`: in the queue's stage. `tested`: alerts raised in test in the last `WINDOW_DAYS`, in `test_days`
    of which the rule was in test. `hidden`: of the last `HIDDEN_DAYS`. `faults`: why it was stopped, or what bounds it."""

    rule: RuleDoc
    setting: RuleSetting
    version: int
    alerts: int
    tested: int
    test_days: float
    ratio: Ratio
    exceptions: Sequence[Laid]
    hidden: Sequence[Hidden]
    history: Sequence[Revision]
    faults: Sequence[RuleFault] = ()

    @property
    def outside(self) -> int:
        """Events that were found where the rule is narrowed to something else."""
        return self.hidden_by.get(OUTSIDE, 0)

    @property
    def hidden_by(self) -> Mapping[str, int]:
        """Exception -> events."""
        counted: dict[str, int] = {}
        for one in self.hidden:
            counted[one.exception_id] = counted.get(one.exception_id, 0) + one.events
        return counted


def overview(state: State, scope: Scope, rule_id: str) -> Overview:
    """As somebody with this scope may see it. Raises `NotFound`."""
    running, faults = state.rules.running()
    rule = next((rule for rule in running if rule.id == rule_id), None)
    if rule is None:
        raise NotFound("no such rule is running")
    stores, now = state.stores, state.clock()
    setting, version = settings.current(stores.policies, rule_id)
    tested = stores.alerts.by_rule(scope, stage=Stage.TEST, since=now - WINDOW_DAYS * DAY_MS)
    return Overview(
        rule=rule,
        setting=setting.inside(scope),
        version=version,
        alerts=stores.alerts.by_rule(scope).get(rule_id, 0),
        tested=tested.get(rule_id, 0),
        test_days=days_in(Stage.TEST, settings.past_of(stores.policies, rule_id), now),
        ratio=ratio(stores.alerts.verdicts(scope).get(rule_id, {})),
        exceptions=exceptions.visible(stores, scope, rule_id),
        hidden=stores.alerts.hidden(scope, since=local_day(now - HIDDEN_DAYS * DAY_MS, state.zone), rule_id=rule_id),
        history=revisions(stores.policies.history(PolicyKind.RULE, rule_id), scope, setting_body(RuleSetting(rule_id))),
        faults=[fault for fault in faults if fault.rule_id == rule_id],
    )
