"""Which sources of a dataset are silent, and for how long that matters."""

from __future__ import annotations

from random import Random

import pytest

from detector.series.lane import Lane

MINUTE, HOUR = 60_000, 3_600_000
START = 1_741_000_000_000


def lane_of(gaps_ms: dict[str, int], until: dict[str, int], end: int) -> Lane:
    """Each source sends regularly until its time."""
    lane = Lane()
    sent = sorted((at, name) for name, gap in gaps_ms.items() for at in range(0, until.get(name, end), gap))
    for at, name in sent:
        assert lane.hear(name, START + at, 600_000)
    return lane


@pytest.mark.parametrize(
    ("away_ms", "counted", "others"),
    [(30 * MINUTE, True, True), (4 * HOUR, True, False), (20 * HOUR, True, False), (25 * HOUR, False, False)],
)
def test_of_a_source_that_is_away_volumes_are_unknown_for_a_day_and_all_else_for_an_hour(away_ms, counted, others):
    lane = lane_of({"web1": 10_000, "web2": 10_000}, {"web2": 2 * HOUR}, 2 * HOUR + away_ms)
    last = START + 2 * HOUR + away_ms
    assert lane.silent(last - 2 * MINUTE, last - MINUTE, counted=True) is counted
    assert lane.silent(last - 2 * MINUTE, last - MINUTE, counted=False) is others


def test_a_small_source_that_is_gone_is_not_waited_for():
    lane = lane_of({"web1": 1_000, "printer": 20_000}, {"printer": 2 * HOUR}, 6 * HOUR)
    last = START + 6 * HOUR
    assert not lane.silent(last - 2 * MINUTE, last - MINUTE, counted=True)


@pytest.mark.parametrize(("others", "believed_after"), [(True, 50_000), (False, 1_000)])
def test_what_comes_late_from_one_of_several_turns_no_clock_back(others, believed_after):
    """What a server kept while its line was cut off is old, and the clock of the others is right."""
    lane = lane_of({"web1": 10_000} if others else {"web2": 10_000}, {}, 6 * HOUR)
    newest = lane.newest
    for n in range(1, believed_after):
        assert lane.hear("web2", START + 2 * HOUR + n, 600_000) is True
    assert lane.newest == newest
    assert lane.hear("web2", START + 3 * HOUR, 600_000) is None
    assert lane.newest == START + 3 * HOUR


@pytest.mark.parametrize("gap", [6 * MINUTE, 60 * MINUTE])
def test_one_that_seldom_has_something_to_say_is_heard_after_its_pauses(gap):
    """Such as a commune's portal, of which nobody else speaks: pauses of hours each night, and of several times the usual by day."""
    lane, rng, ts = Lane(), Random(2), 1_772_409_600_000
    believed = []
    for n in range(2000):
        ts += int(rng.expovariate(1 / gap)) + (10 * 60 * MINUTE if n % 60 == 59 else 0)
        believed.append(lane.hear("s", ts, 60 * MINUTE))
    assert sum(one is True for one in believed[100:]) > 0.9 * len(believed[100:])


def test_a_clock_that_is_wrong_behind_a_pause_is_not_followed():
    """Four that come after a pause, and one of next year."""
    lane, ts = Lane(), 1_772_409_600_000
    for n in range(300):
        assert lane.hear("s", ts + n * 1000, 60 * MINUTE)
    later = ts + 5 * 60 * MINUTE
    for n in range(4):
        lane.hear("s", later + n * 1000, 60 * MINUTE)
    assert not lane.hear("s", later + 365 * 1440 * MINUTE, 60 * MINUTE)
    assert lane.newest == later
    assert lane.hear("s", later + 5000, 60 * MINUTE)
