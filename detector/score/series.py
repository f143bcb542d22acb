"""Files of one series: `timestamp,value` lines in, judged lines out, one pass in constant memory.

The value is in the column `value`, else in the second; the time in `timestamp`, `time`, `date` or `datetime`, else in the first.
Without names the first line is data. Times are seconds or milliseconds since 1970, or `YYYY-MM-DD HH:MM:SS`, also with a T,
fractions and a zone; those without are of the given zone. Values have a decimal point; a comma ends a column, except between
quotation marks.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from math import isfinite
from statistics import median_low

from detector.score.point import Kind
from detector.score.scorer import Scorer

HEADER = "timestamp,value,score,expected,lower,upper,anomaly\n"
MAX_LINE = 4096  # characters
_TIMES = ("timestamp", "time", "date", "datetime")
_UNKNOWN = frozenset(("", "nan", "-nan", "+nan", "null", "none", "na", "n/a", "-"))
_STEP_POINTS = 12  # times that the step is the median distance of
_LATEST_MS = 253_402_300_799_000  # the year 9999
_MILLISECONDS = 100_000_000_000  # numbers from here on are no seconds
_OF_MANY = 1e9  # no file says of how many a ratio is: of so many that chance has no part in it

_AFTER_QUOTE = re.compile(r'"[ \t]+(?=[,\r\n]|\Z)')

Bad = Callable[[int, str], None]
Some = Callable[[int, int], None]


def score_lines(
    lines: Iterable[str],
    kind: Kind,
    zone: tzinfo,
    budget: float,
    bad: Bad,
    late: Some = lambda _some, _of: None,
    outside: Some = lambda _some, _of: None,
) -> Iterator[str]:
    """CSV lines (with their ends) to CSV lines. `bad` is told the number and the fault of each line that is left out, `late` at the end
    how many values of how many were not later than those before them: they are told what was expected, and are not judged. `outside`
    is told how many ratios are not between 0 and 1: they are judged as the nearer of the two.

    The step is learned from the first times: these few lines have no score, as a scorer knows nothing yet.
    """
    yield HEADER
    rows = _rows(lines, zone, bad)
    first: list[tuple[str, int, str, float | None]] = []
    for row in rows:
        first.append(row)
        if len(first) == _STEP_POINTS:
            break
    scorer = Scorer(_step_s([row[1] for row in first]), kind, zone, budget)
    step, count, left_out, no_ratios, ratios = scorer.step, 0, 0, 0, kind is Kind.RATIO
    for source in (first, rows):
        for text, ts_ms, shown, value in source:
            point = step(ts_ms, value, _OF_MANY)
            count += 1
            left_out += scorer.left_out
            if ratios and value is not None and not 0.0 <= value <= 1.0:
                no_ratios += 1
            yield (
                f"{text},{shown},{point[0]:.6f},{point[1]:.7g},{point[2]:.7g},{point[3]:.7g},{1 if point[4] else 0}\n"
            )
    if left_out:
        late(left_out, count)
    if no_ratios:
        outside(no_ratios, count)


def _step_s(times: list[int]) -> int:
    gaps = [late - early for early, late in pairwise(times) if late > early]
    return min(max(median_low(gaps) // 1000, 1), 86_400) if gaps else 60


def _rows(lines: Iterable[str], zone: tzinfo, bad: Bad) -> Iterator[tuple[str, int, str, float | None]]:
    """Time as it stands, in ms, value as it stands, and as a number or None."""
    read = _Clock(zone).ms
    at_time, at_value, number = 0, 1, 0
    for line in lines:
        number += 1
        plain = len(line) <= MAX_LINE and '"' not in line
        cells = line.rstrip("\r\n").split(",") if plain else _quoted(line)
        try:
            text, shown = cells[at_time].strip(' "'), cells[at_value].strip(' "')
            ts_ms = read(text)
            value = None if shown.lower() in _UNKNOWN else float(shown)
            if value is not None and not isfinite(value):
                raise ValueError(shown)
        except (ValueError, IndexError, OverflowError):
            if number == 1 and len(cells) > 1 and not _begins_with_a_time(cells, read):
                at_time, at_value = _columns(cells)
            elif line.strip() or number == 1:
                bad(number, _fault(line, cells, at_time, at_value, read))
            continue
        yield (text if plain or "," not in text else f'"{text}"'), ts_ms, shown, value


def _quoted(line: str) -> list[str]:
    """The cells of a line with quotation marks, between which a comma is one of the cell; none of a line that is no CSV or too long."""
    if len(line) > MAX_LINE:
        return []
    try:
        tight = _AFTER_QUOTE.sub('"', line.lstrip("\ufeff"))
        return next(csv.reader((tight,), skipinitialspace=True, strict=True), [])
    except csv.Error:
        return []


def _begins_with_a_time(cells: list[str], read: Callable[[str], int]) -> bool:
    """Then the first line is no names of columns but data, whose value is no number."""
    return _is_time(cells[0].strip(' "\ufeff'), read)


def _is_time(text: str, read: Callable[[str], int]) -> bool:
    try:
        read(text)
    except (ValueError, OverflowError):
        return False
    return True


def _columns(names: list[str]) -> tuple[int, int]:
    plain = [name.strip(' "\ufeff').lower() for name in names]
    at_time = next((plain.index(name) for name in _TIMES if name in plain), 0)
    at_value = plain.index("value") if "value" in plain else 1 if at_time != 1 else 0
    return at_time, at_value


def _fault(line: str, cells: list[str], at_time: int, at_value: int, read: Callable[[str], int]) -> str:
    if len(line) > MAX_LINE:
        return f"longer than {MAX_LINE} characters"
    if not cells and '"' in line:
        return "a quotation mark that is not closed, or has something beside it"
    if len(cells) <= max(at_time, at_value):
        return f"{len(cells)} column{'s' * (len(cells) != 1)} where a time and a value are expected"
    what = "value" if _is_time(cells[at_time].strip(' "'), read) else "time"
    cell = cells[at_value if what == "value" else at_time]
    comma = ": a decimal point is expected, and no comma" if what == "value" and "," in cell else ""
    return f"{cell[:40]!r} is no {what}{comma}"


class _Clock:
    """Reads times. Offsets of a zone are looked up once an hour."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._hour = ""
        self._hour_ms = 0

    def ms(self, text: str) -> int:
        """Raises ValueError for what is no time."""
        if len(text) == 19 and text[:13] == self._hour and text[13] == ":" and text[16] == ":":
            minute, second = int(text[14:16]), int(text[17:19])
            if 0 <= minute < 60 and 0 <= second < 60:
                return self._hour_ms + minute * 60_000 + second * 1000
        if text.replace(".", "", 1).lstrip("-").isdecimal():
            number = float(text)
            ms = int(number if abs(number) >= _MILLISECONDS else number * 1000)
            if not -_LATEST_MS < ms < _LATEST_MS:
                raise ValueError(text)
            return max(ms, 0)
        return self._iso(text)

    def _iso(self, text: str) -> int:
        time = datetime.fromisoformat(text)
        ms = int((time if time.tzinfo else time.replace(tzinfo=self._zone)).astimezone(UTC).timestamp() * 1000)
        if len(text) == 19 and time.tzinfo is None:
            self._hour, self._hour_ms = text[:13], ms - (time.minute * 60 + time.second) * 1000
        return max(ms, 0)
