"""A series of an organisation that took over from others begins with what theirs have learned together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo

from detector.score.merge import RELEARNING_DAYS, merged
from detector.series.definition import Definition
from detector.series.meter import Meter
from detector.track import ALARMS_A_WEEK, Track
from soc.model.calendar import DAY_MS

# Organisation -> the end (ms) of each one that it took over from, and its code.
Merges = Callable[[str], Sequence[tuple[int, str]]]


def heir(definition: Definition, meter: Meter, zone: tzinfo, parts: Sequence[Track]) -> Track | None:
    """None where they have no sum: of ratios and latencies, and where one of them knows nothing."""
    if not parts:
        return None
    try:
        scorer = merged([one.scorer for one in parts], zone, ALARMS_A_WEEK)
    except ValueError:
        return None
    track = Track(definition, meter, zone)
    track.scorer, track.inherited = scorer, True
    return track


def ended_before(merges: Sequence[tuple[int, str]], born: int) -> list[str]:
    """The organisations whose habits a series that is born now begins with."""
    return [code for at, code in merges if at <= born < at + RELEARNING_DAYS * DAY_MS]
