"""The analysts' daily budget: what going live would add to their day, where that is known, and from what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from soc.backtest.jobs import Jobs
from soc.backtest.outcome import made_of
from soc.model.calendar import DAY_MS
from soc.model.event import iso
from soc.model.org import EVERYTHING
from soc.model.rule import RuleDoc, Stage
from soc.store.base import AlertStore

DAILY_BUDGET = 60.0
WINDOW_DAYS = 7
_LEAST_DAYS = 1.0  # of less, no number a day can be told

# The stages that a rule was moved to, each with when (ms), oldest first. Before the first it was live.
Past = Sequence[tuple[int, Stage]]


@dataclass(frozen=True, slots=True)
class Expected:
    """Alerts a day; `seen`: from what that is known."""

    a_day: float
    seen: str


def days_in(stage: Stage, past: Past, now: int) -> float:
    """How many of the last `WINDOW_DAYS` days the rule was in this stage."""
    at, was, spent = now - WINDOW_DAYS * DAY_MS, Stage.LIVE, 0
    for moved, to in (*past, (now, Stage.LIVE)):
        until = min(max(moved, at), now)
        spent += until - at if was is stage else 0
        at, was = until, to
    return spent / DAY_MS


def live_a_day(alerts: AlertStore, past_of: Callable[[str], Past], now: int) -> float:
    """What all live rules raise, alerts a day, each over the days of the window in which it was live."""
    raised = alerts.by_rule(EVERYTHING, since=now - WINDOW_DAYS * DAY_MS)
    days = {rule_id: max(_LEAST_DAYS, days_in(Stage.LIVE, past_of(rule_id), now)) for rule_id in raised}
    return sum(number / days[rule_id] for rule_id, number in raised.items())


def expected(alerts: AlertStore, jobs: Jobs, rule: RuleDoc, past: Past, now: int) -> Expected | None:
    """What the rule would raise live: as it did in test, or else by the last backtest of it as it is now. None: nobody knows."""
    days = days_in(Stage.TEST, past, now)
    if days >= _LEAST_DAYS:
        raised = alerts.by_rule(EVERYTHING, stage=Stage.TEST, since=now - WINDOW_DAYS * DAY_MS).get(rule.id, 0)
        return Expected(raised / days, f"{raised} in {days:.1f} days in test")
    found = jobs.latest(made_of(rule, alerts.running()[0]))
    if found is None:
        return None
    job, outcome = found
    by_day: Mapping[str, int] = outcome["by_day"]
    if not by_day or outcome["noisy_since"] is not None or outcome["broken"] is not None:
        return None  # its figures are too small, or of no whole day
    return Expected(
        sum(by_day.values()) / len(by_day), f"by the backtest of {iso(job.at)[:10]} over {len(by_day)} whole days"
    )


def doubt(found: Expected | None, live: float, budget: float) -> str | None:
    """Why it needs a reason that the rule goes live; None where it fits."""
    if found is None:
        return (
            "nobody knows what the rule would raise: it was less than a day in test, and there is no finished backtest of it as it is "
            "now, over all organisations and a whole day at least. Run a backtest first, or say why it is right all the same"
        )
    if found.a_day + live > budget:
        return (
            f"live, the rule would add {found.a_day:.1f} alerts a day ({found.seen}) to {live:.1f}, and the budget is {budget:g} a day: "
            "keep it in test and tune it, or say why it is right all the same"
        )
    return None
