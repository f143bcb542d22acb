"""The measure that scorers are held to: events caught early, and half hours of false alarm.

An event is caught if a point within ten minutes of its start alarms. A half hour (of the clock) that has an alarm and touches no event
is false, however many points alarm in it. Nothing else counts: a late alarm within an event is neither good nor bad.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

SLOT_S = 1800
WEEK_S = 7 * 86_400
EARLY_S = 600


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one series."""

    events: int
    caught: int
    false_slots: int
    weeks: float

    @property
    def false_a_week(self) -> float:
        return self.false_slots / self.weeks


def verdict(
    times: Sequence[int], alarms: Sequence[bool], events: Sequence[tuple[int, int]], early_s: int = EARLY_S
) -> Verdict:
    """`times`: seconds, rising; `events`: first and last second of each."""
    raised = [at for at, alarm in zip(times, alarms, strict=True) if alarm]
    caught = sum(any(start <= at <= start + early_s for at in raised) for start, _ in events)
    touched = {
        slot for start, end in events for slot in range(start // SLOT_S, (max(end, start + early_s)) // SLOT_S + 1)
    }
    false = {at // SLOT_S for at in raised} - touched
    weeks = (times[-1] - times[0]) / WEEK_S if len(times) > 1 else 0.0
    return Verdict(len(events), caught, len(false), max(weeks, 1e-9))


@dataclass(frozen=True, slots=True)
class Summary:
    recall: float
    """Of all events of all series."""
    recall_within: float
    """The same, but what was caught in series beyond the budget counts for nothing."""
    false_a_week: float
    """Mean over series."""
    worst: float
    over: int
    """Series with more false half hours a week than the budget."""
    series: int
    events: int

    def __str__(self) -> str:
        return (
            f"caught {self.recall:.3f} of {self.events} events in {self.series} series; {self.false_a_week:.2f} false half hours a week "
            f"(worst {self.worst:.1f}, {self.over} beyond the budget; without their catches {self.recall_within:.3f})"
        )


def summary(verdicts: Sequence[Verdict], budget: float) -> Summary:
    events = sum(one.events for one in verdicts)
    within = [one for one in verdicts if one.false_a_week <= budget]
    return Summary(
        sum(one.caught for one in verdicts) / events if events else math.nan,
        sum(one.caught for one in within) / events if events else math.nan,
        fmean(one.false_a_week for one in verdicts),
        max(one.false_a_week for one in verdicts),
        len(verdicts) - len(within),
        len(verdicts),
        events,
    )
