"""Small plots as SVG, of a series with its expected band, and of counts; what was too far off is marked. No script, no style: classes of
console.css."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from markupsafe import Markup

from soc.model.anomaly import Reading, thinned
from soc.model.calendar import DAY_MS

_WIDTH, _HEIGHT, _EDGE = 640, 160, 4
_MOST = 1280  # points; more than two a pixel say nothing


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot and what it lies between: values, and times (ms)."""

    svg: Markup
    low: float
    top: float
    since: int
    until: int


def drawn(
    readings: Sequence[Reading],
    step_ms: int,
    marked: Sequence[tuple[int, int]] = (),
    label: str = "",
    *,
    level_since: int | None = None,
) -> Drawn | None:
    """As `plot`; None where there is nothing to draw."""
    svg = plot(readings, step_ms, marked, label, level_since=level_since)
    if not svg:
        return None
    low, top = _extent([one for one in thinned(readings, step_ms, _MOST)[0] if one.value is not None])
    return Drawn(svg, low, top, readings[0].ts, readings[-1].ts)


def _extent(known: Sequence[Reading]) -> tuple[float, float]:
    """The least and the greatest that is drawn: a band that is far wider than its middle is cut."""
    top = max(
        max(one.value or 0.0, min(one.upper, 4 * abs(one.expected) + 1) if one.upper == one.upper else 0.0)
        for one in known
    )
    low = min(min(one.value or 0.0, one.lower) if one.lower == one.lower else one.value or 0.0 for one in known)
    return (max(low, 0.0) if min(one.value or 0.0 for one in known) >= 0 else low), top


def plot(
    readings: Sequence[Reading],
    step_ms: int,
    marked: Sequence[tuple[int, int]] = (),
    label: str = "",
    *,
    level_since: int | None = None,
) -> Markup:
    """`marked`: from and to which times (ms) it is an anomaly. `level_since`: from when on another level is usual. Where a bucket is not
    known the line ends. Of more readings than there is room for, the least and the greatest of each few are drawn."""
    shown, step_ms = thinned(readings, step_ms, _MOST)
    known = [one for one in shown if one.value is not None]
    if len(known) < 2:
        return Markup()
    first, last = shown[0].ts, max(shown[-1].ts, shown[0].ts + 1)
    low, top = _extent(known)
    height = (top - low) or 1.0

    def x(ts: int) -> float:
        return _EDGE + (ts - first) / (last - first) * (_WIDTH - 2 * _EDGE)

    def y(value: float) -> float:
        return _HEIGHT - _EDGE - (min(max(value, low), top) - low) / height * (_HEIGHT - 2 * _EDGE)

    shapes = []
    if level_since is not None and first < level_since < last:
        shapes.append(
            f'<line class="level" x1="{x(level_since):.1f}" x2="{x(level_since):.1f}" y1="0" y2="{_HEIGHT}"/>'
        )
    for run in _runs(shown, step_ms):
        band = [one for one in run if one.lower == one.lower and one.upper == one.upper]
        if len(band) > 1:
            edge = [f"{x(one.ts):.1f},{y(one.upper):.1f}" for one in band]
            edge += [f"{x(one.ts):.1f},{y(one.lower):.1f}" for one in reversed(band)]
            shapes.append(f'<polygon class="band" points="{" ".join(edge)}"/>')
            middle = " ".join(f"{x(one.ts):.1f},{y(one.expected):.1f}" for one in band)
            shapes.append(f'<polyline class="expected" points="{middle}"/>')
        points = [(x(one.ts), y(one.value or 0.0)) for one in run]
        if len(points) == 1:  # alone between gaps: a line of no length is not seen
            points = [(points[0][0] - 1, points[0][1]), (points[0][0] + 1, points[0][1])]
        line = " ".join(f"{left:.1f},{up:.1f}" for left, up in points)
        shapes.append(f'<polyline class="actual" points="{line}"/>')
    for since, until in marked:
        if until + step_ms <= first or since > last:
            continue
        left, right = x(max(since, first)), x(min(until + step_ms, last))
        shapes.append(f'<rect class="off" x="{left:.1f}" y="0" width="{max(right - left, 1):.1f}" height="{_HEIGHT}"/>')
    return _svg(label, shapes)


def bars(
    counts: Sequence[int],
    since: int,
    step_ms: int,
    marked: tuple[int, int],
    label: str = "",
    lines: Sequence[int] = (),
) -> Drawn | None:
    """A bar a count, the first of which is that of `since` (ms), scaled from 0. `marked`: from and to when (ms) it was unusual; all of a
    step that has some of it is marked. `lines`: times (ms), such as midnights. None where there is nothing to draw."""
    if not counts:
        return None
    until, top = since + len(counts) * step_ms, max(*counts, 1)

    def x(ts: int) -> float:
        return _EDGE + (ts - since) / (until - since) * (_WIDTH - 2 * _EDGE)

    shapes = [
        f'<line class="day" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="0" y2="{_HEIGHT}"/>'
        for at in lines
        if since < at < until
    ]
    width, foot = (_WIDTH - 2 * _EDGE) / len(counts), _HEIGHT - _EDGE
    up = (_HEIGHT - 2 * _EDGE) / top
    path = "".join(
        f"M{_EDGE + at * width:.1f} {foot}v{-max(count * up, 1):.1f}h{width * 0.8:.1f}V{foot}z"
        for at, count in enumerate(counts)
        if count
    )
    shapes.append(f'<path class="bars" d="{path}"/>')
    left, right = (max(marked[0] - marked[0] % step_ms, since), marked[1] - marked[1] % step_ms + step_ms)
    if right > since:
        wide = x(min(right, until)) - x(left)
        shapes.append(f'<rect class="off" x="{x(left):.1f}" y="0" width="{max(wide, 1):.1f}" height="{_HEIGHT}"/>')
    return Drawn(_svg(label, shapes), 0.0, float(max(counts)), since, until)


def midnights(since: int, until: int, zone: tzinfo) -> list[int]:
    """When days begin where people are, between these times (ms)."""
    first = datetime.fromtimestamp(since / 1000, zone).date()
    days = (first + timedelta(days=at) for at in range(1, (until - since) // DAY_MS + 2))
    return [int(datetime.combine(day, time(), zone).timestamp() * 1000) for day in days]


def _svg(label: str, shapes: Sequence[str]) -> Markup:
    head = f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" preserveAspectRatio="none">'
    title = Markup("<title>{}</title>").format(label)
    return Markup(head) + title + Markup("".join(shapes) + "</svg>")  # noqa: S704 - numbers only


def _runs(readings: Sequence[Reading], step_ms: int) -> Iterator[list[Reading]]:
    """Known buckets one after the other."""
    run: list[Reading] = []
    for one in readings:
        if one.value is None or (run and one.ts - run[-1].ts > 2 * step_ms):
            if run:
                yield run
            run = []
        if one.value is not None:
            run.append(one)
    if run:
        yield run
