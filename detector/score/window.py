"""What the last values lead to expect, learned of the series itself: a ridge regression over features of a window.

The features are the last three distances from the level of days, and their means of ten minutes and of an hour; all are clipped, so that
an outlier has no echo. Of each ten minutes one row is learned, of an incident none. Only sums of products are kept: they have the
same least squares as all the rows. Once a day a model is fitted, and stays in the shadow for a day: it takes the
place of the one in use only if it was no worse on that day, of which neither had learned. The one that it replaces is kept, and comes
back when it would have been better on a later day. The first model expects the level of days. The one in use leads, and its
forecast is used, while it misses far less than the forecast that is used without it (its rival).
"""

from __future__ import annotations

from array import array
from functools import cache
from typing import ClassVar
from zlib import crc32

from detector.score.season import DAY_SLOTS
from detector.score.state import blank

_FEATURES = 5
_SUMS = (_FEATURES + 1) * (_FEATURES + 2) // 2  # of products: a triangle
_USED, _SHADOW, _BEFORE = (slice(k * _FEATURES, (k + 1) * _FEATURES) for k in range(3))
_FRESH = _SUMS  # where those of the last day begin
_CLIP = 4.0  # widths
_MINUTES_S, _HOUR_S = 600, 3600  # half-lives of the means
_AHEAD = 0.7  # of the squares of its rival: a model that misses less leads, until it misses more than the rival
_KEEP = 0.5 ** (1 / 14)  # of a day, for each that follows
_FEWEST = 500.0  # rows before anything is fitted: half a week
_RIDGE = 0.02  # of the rows
_LEAST = 1e-9  # a series that never moves has a solution, too
_NARROW = 0.05  # of a width: a model is believed no further
_TO_SIGMA = 1.25  # mean distance to standard deviation, of a normal distribution


class Window:
    """`width`: how far the model is usually off, in widths of the level's distances; `versions`: models that came into use; `leads`: 1 if
    the one in use is better than its rival; `due`: when the next is fitted, in ten minutes since 1970, at another time of the day
    for each series, which is drawn (`drawn`) from what it was on its first day: so that many do not all do so at once."""

    __slots__ = (
        *(
            "drawn",
            "due",
            "hour",
            "leads",
            "minutes",
            "models",
            "one",
            "rival",
            "rows",
            "sums",
            "three",
            "two",
        ),
        *("versions", "wanted", "width", "_hour_gain", "_minutes_gain"),
    )
    WHOLE: ClassVar[tuple[str, ...]] = ("drawn", "due", "leads", "versions", "wanted")
    FLOATS: ClassVar[tuple[str, ...]] = ("one", "two", "three", "minutes", "hour", "width", "rival", "rows")
    ARRAYS: ClassVar[tuple[str, ...]] = ("models", "sums")

    def __init__(self, step_s: int) -> None:
        self._minutes_gain, self._hour_gain = _gains(step_s)
        # the one in use, the one in the shadow, and the one that was in use before
        self.models = blank("f", 3 * _FEATURES)
        self.sums = blank("f", 2 * _SUMS)  # of products: of the past, and of the last day
        self.rival = self.rows = 0.0  # squares that the rival missed by in the last day; rows in all
        self.due, self.drawn, self.leads, self.versions, self.wanted = -1, 0, 0, 0, 1
        self.width = 1.0
        self.forget()

    def forget(self) -> None:
        """After a gap: the last minutes say nothing any more."""
        self.one = self.two = self.three = self.minutes = self.hour = 0.0

    def expected(self) -> float:
        """The next distance from the level of days, in its widths."""
        if not self.versions:
            return 0.0
        a, b, c, d, e, *_ = self.models
        return a * self.one + b * self.two + c * self.three + d * self.minutes + e * self.hour

    def off(self, x: float, rival: float, gain: float, calm: bool) -> float:
        """How far `x` is from what the model expects; then learns of it. `x`: distance from the level of days; `rival`: how far off the
        other forecast was, both in widths of the level's; `gain`: how fast the width follows; `calm`: no incident goes on."""
        one, two, minutes, hour, off = self.one, self.two, self.minutes, self.hour, x - self.expected()
        clipped = _CLIP if x > _CLIP else -_CLIP if x < -_CLIP else x
        if calm and self.wanted:
            self._take((one, two, self.three, minutes, hour, clipped))
            self.rival += min(rival * rival, _CLIP * _CLIP)
        self.three, self.two, self.one = two, one, clipped
        self.minutes = minutes + self._minutes_gain * (clipped - minutes)
        self.hour = hour + self._hour_gain * (clipped - hour)
        width = self.width
        size, most = (off if off > 0 else -off) * _TO_SIGMA, _CLIP * width
        width += gain * ((size if size < most else most) - width)
        self.width = width if width > _NARROW else _NARROW
        return off

    def turn(self, slot: int) -> None:
        """Ten minutes are over, or more."""
        self.wanted = 1
        ahead = self.due - slot
        if 0 < ahead <= 2 * DAY_SLOTS:
            return
        if ahead > 0 or self.due < 0:  # after a clock that was ahead; and in the beginning
            self.due, self.drawn = slot + DAY_SLOTS, 0
        elif not self.drawn:
            self.due, self.drawn = slot + 1 + crc32(self.sums) % DAY_SLOTS, 1
        else:
            self._refit()
            self.due = slot + DAY_SLOTS - (slot - self.due) % DAY_SLOTS

    def _take(self, row: tuple[float, ...]) -> None:
        self.wanted = 0
        sums, k = self.sums, _FRESH
        for i, left in enumerate(row):
            for right in row[i:]:
                sums[k] += left * right
                k += 1
        self.rows += 1

    def _refit(self) -> None:
        fresh = self.sums[_FRESH:]
        model = self._choose(fresh)
        if self.versions:
            missed = _missed(model, fresh)
            self.leads = int(missed < (1.0 if self.leads else _AHEAD) * self.rival)
        self.rival = 0.0
        for k in range(_SUMS):
            self.sums[k] = self.sums[k] * _KEEP + fresh[k]
            self.sums[_FRESH + k] = 0.0
        if self.rows >= _FEWEST and self.sums[_FRESH - 1] > 0:  # what never moves has no model
            self.models[_SHADOW] = _fitted(self.sums[:_FRESH], self.rows)
        self.rows *= _KEEP

    def _choose(self, fresh: array[float]) -> array[float]:
        """The one in use from now on. On the last day, of which none had learned, the one in the shadow has to have been no worse, the one
        before better."""
        used, shadow, before = self.models[_USED], self.models[_SHADOW], self.models[_BEFORE]
        missed = _missed(used, fresh)
        if any(shadow) and _missed(shadow, fresh) <= missed:
            self.models[_USED], self.models[_BEFORE] = shadow, used
            self.versions += 1
            return shadow
        if _missed(before, fresh) < missed:
            self.models[_USED], self.models[_BEFORE] = before, used
            return before
        return used


@cache
def _gains(step_s: int) -> tuple[float, float]:
    """Of the two means, for each value. The same floats for all series of a step: each takes 24 bytes, and there are many."""
    minutes, hour = (1 - 0.5 ** (step_s / half_life) for half_life in (_MINUTES_S, _HOUR_S))
    return minutes, hour


def _missed(model: array[float], sums: array[float]) -> float:
    """Sum of squares that this model leaves of the rows in these sums."""
    signed, total, k = [*(-one for one in model), 1.0], 0.0, 0
    for i, left in enumerate(signed):
        for j in range(i, len(signed)):
            total += (1 if i == j else 2) * left * signed[j] * sums[k]
            k += 1
    return total


def _fitted(sums: array[float], rows: float) -> array[float]:
    """What scikit-learn's `Ridge(alpha=_RIDGE * rows, fit_intercept=False)` finds in the rows. Importing that takes a second, in which
    `soc score` has scored 80,000 values."""
    import numpy as np

    square = np.zeros((_FEATURES + 1, _FEATURES + 1))
    square[np.triu_indices(_FEATURES + 1)] = sums
    square += np.triu(square, 1).T
    ridge = (_RIDGE * rows + _LEAST) * np.eye(_FEATURES)
    return array("f", np.linalg.solve(square[:-1, :-1] + ridge, square[:-1, -1]).tolist())
