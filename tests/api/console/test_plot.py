"""The plot of a series: all of the time that it is asked for, however many readings that are."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from api.anomalies import Detail, Shown
from api.console.anomalies import plot_of
from api.console.plot import bars, drawn, midnights, plot
from soc.model.anomaly import Anomaly, Board, Reading, Series

MINUTE, HOUR = 60_000, 3_600_000


def test_eight_days_are_drawn_whole_with_their_peaks():
    readings = [Reading(n * MINUTE, 10.0, 1.0, 10.0, 5.0, 15.0, 0.0, False) for n in range(8 * 1440)]
    readings[100] = readings[100]._replace(value=15.0)
    drawn = str(plot(readings, MINUTE, [(100 * MINUTE, 110 * MINUTE)]))
    (line,) = re.findall(r'class="actual" points="([^"]*)"', drawn)
    points = [tuple(map(float, one.split(","))) for one in line.split()]
    assert 600 < len(points) <= 1280
    assert (points[0][0], points[-1][0]) == (4.0, 636.0), "from the first to the last"
    assert [x for x, y in points if y == 4.0] == [9.5], "the peak of the first day"
    assert 'class="off" x="9.5"' in drawn


def test_a_gap_stays_a_gap():
    readings = [
        Reading(n * MINUTE, None if 3000 <= n < 5000 else 10.0, 1.0, 10.0, 5.0, 15.0, 0.0, False)
        for n in range(8 * 1440)
    ]
    assert len(re.findall('class="actual"', str(plot(readings, MINUTE)))) == 2


def test_every_anomaly_is_marked_and_a_new_level_too():
    readings = [Reading(n * MINUTE, 10.0, 1.0, 10.0, 5.0, 15.0, 0.0, False) for n in range(1000, 1100)]
    marked = [(900 * MINUTE, 950 * MINUTE), (1010 * MINUTE, 1020 * MINUTE), (1090 * MINUTE, 1200 * MINUTE)]
    drawn = str(plot(readings, MINUTE, marked, level_since=1050 * MINUTE))
    assert drawn.count('class="off"') == 2, "what was before is not drawn"
    assert drawn.count('class="level"') == 1
    assert "level" not in str(plot(readings, MINUTE, level_since=900 * MINUTE))


def test_an_anomaly_is_drawn_with_the_band_that_it_was_outside_of():
    """The scorer's follows what goes on: after some minutes it holds what people were called about."""
    readings = [Reading(n * MINUTE, 0.7, 9.0, 0.7, 0.6, 0.8, 0.0, False) for n in range(100)]
    one = Anomaly("s", "d", "o", 20 * MINUTE, 60 * MINUTE, 40 * MINUTE, 0.7, 0.02, 0.0, 0.1, 7.0, 41, "a")
    found = Detail(one, Shown(Series(Board("d", "o"), (), 0, 0), None), readings, (), "", None, one.since)
    (band,) = re.findall(r'class="expected" points="([^"]*)"', str(plot_of(found).svg))
    heights = [float(point.split(",")[1]) for point in band.split()]
    assert len(set(heights[:20] + heights[61:])) == 1
    assert len(set(heights[20:61])) == 1
    assert heights[20] > heights[0] + 50  # far below


def test_a_bucket_alone_between_gaps_is_seen_and_the_scale_is_said():
    readings = [Reading(n * MINUTE, float(n == 50) if n < 40 or n == 50 or n > 60 else None, 1.0, 0.2, 0.0, 0.5, 0.0, False)
                for n in range(100)]  # fmt: skip
    found = drawn(readings, MINUTE, [(50 * MINUTE, 50 * MINUTE)])
    lines = re.findall(r'class="actual" points="([^"]*)"', str(found.svg))
    assert len(lines) == 3
    assert len({one.split(",")[0] for one in lines[1].split()}) == 2, "it has a length"
    assert (found.low, found.top, found.since, found.until) == (0.0, 1.0, 0, 99 * MINUTE)
    assert str(found.svg).index('class="band"') < str(found.svg).index('class="off"'), "the band hides no anomaly"
    assert drawn(readings[:1], MINUTE) is None


def test_bars_are_scaled_from_nothing_and_the_hours_of_an_episode_are_marked():
    found = bars([0, 10, 20, 5], 0, HOUR, (2 * HOUR + 5, 3 * HOUR + 1), "<events>", [HOUR, 9 * HOUR])
    svg = str(found.svg)
    (path,) = re.findall(r'class="bars" d="([^"]*)"', svg)
    heights = [float(one) for one in re.findall(r"v-([0-9.]+)h", path)]
    assert heights == [76.0, 152.0, 38.0], "none for none"
    assert re.findall(r'class="off" x="([0-9.]+)" y="0" width="([0-9.]+)"', svg) == [("320.0", "316.0")]
    assert svg.count('class="day"') == 1, "no line outside"
    assert "<title>&lt;events&gt;</title>" in svg
    assert (found.low, found.top, found.since, found.until) == (0.0, 20.0, 0, 4 * HOUR)
    assert bars([], 0, HOUR, (0, 0)) is None
    assert 'class="off" x="4.0"' in str(bars([1, 1], 4 * HOUR, HOUR, (0, 5 * HOUR)).svg), (
        "what began before is marked from the left"
    )


def test_midnights_are_those_of_people():
    monday = 1_772_409_600_000  # 2026-03-02T00:00Z, 7:00 in Viet Nam
    assert midnights(monday, monday + 48 * HOUR, ZoneInfo("Asia/Ho_Chi_Minh"))[:2] == [
        monday + 17 * HOUR,
        monday + 41 * HOUR,
    ]
