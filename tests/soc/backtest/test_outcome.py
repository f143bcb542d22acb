"""What is said of a rule: against what was raised before, and how that was closed."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from soc.backtest.outcome import Entity, assess
from soc.model.alert import Alert, Status, Triage, Verdict
from soc.model.rule import RuleDoc

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOON = 1_772_427_600_000  # 2026-03-02 12:00 in Vietnam
DAY = 86_400_000
RULE = RuleDoc("r-1", "hash-1", "SQL injection", "high", "")
DAYS = (date(2026, 3, 2), date(2026, 3, 4))


def alert(name: str, entity: str = "a", day: int = 0, count: int = 1, triage: Triage = Triage()) -> Alert:  # noqa: B008
    at = NOON + day * DAY
    return Alert(
        name, RULE.id, RULE.hash, RULE.title, RULE.level, "x", "source.ip", entity, at, at, count, at, (), triage
    )


def closed(verdict: Verdict) -> Triage:
    return Triage(Status.CLOSED, verdict, version=1)


def test_days_entities_and_the_week_to_come():
    raised = [alert("1", "a", 0, 5), alert("2", "a", 1, 1), alert("3", "b", 2, 9), alert("4", "c", 3)]
    of = assess(RULE, raised, [], DAYS, ZONE)
    assert of.by_day == {"2026-03-02": 1, "2026-03-03": 1, "2026-03-04": 1}  # the fourth day is not whole
    assert (of.alerts, of.events, of.fresh, of.gone) == (4, 16, 4, 0)
    assert of.entities[:2] == (Entity("source.ip", "a", 2, 6), Entity("source.ip", "b", 1, 9))
    assert of.forecast.expected == 7


def test_it_is_held_against_what_was_raised_before_and_how_that_was_closed():
    there = [
        alert("1", triage=closed(Verdict.TRUE_POSITIVE)),
        alert("2", triage=closed(Verdict.FALSE_POSITIVE)),
        alert("3", triage=closed(Verdict.BENIGN)),
        alert("4"),
        alert("5", triage=closed(Verdict.TRUE_POSITIVE)),
        alert("6", triage=closed(Verdict.FALSE_POSITIVE)),
    ]
    of = assess(RULE, [alert(name) for name in ("1", "2", "3", "4", "new")], there, DAYS, ZONE)
    assert dict(of.known) == {"true_positive": 1, "false_positive": 1, "benign": 1, "open": 1}
    assert (of.fresh, of.gone, of.gone_true) == (1, 2, 1)


def test_a_rule_that_raises_nothing():
    of = assess(RULE, [], [], DAYS, ZONE, noisy_since=5)
    assert (of.alerts, of.events, of.entities, of.noisy_since) == (0, 0, (), 5)
    assert of.forecast.expected == 0
