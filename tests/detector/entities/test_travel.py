"""Travel and numbers that follow each other."""

from __future__ import annotations

import random

import pytest
from habits import BUCKET_MS, DAY_MS, MONDAY_MS, office
from hypothesis import given
from hypothesis import strategies as st

from detector.entities import travel
from detector.entities.budget import Budget
from detector.entities.item import Item
from detector.entities.profile import Activity, Population, Profile
from detector.entities.profiles import Profiles
from detector.entities.surprise import new
from detector.entities.text import beside

TEN = MONDAY_MS + 8 * DAY_MS + 10 * 3_600_000
WHAT = ("event.action", "source.ip")


def run(acts) -> list[Item]:
    watched, items = Profiles("user.id", WHAT, Budget(10), bucket_ms=BUCKET_MS), []
    for ts, entity, fields in sorted(acts, key=lambda act: act[0]):
        items += watched.close(ts)
        watched.observe(ts, entity, fields)
    return items + watched.close(1 << 50)


def signed_in(days: int):
    """Each from an address of one of two carriers, which changes every day; some at the office."""
    for ts, entity, fields in office(days):
        number, day = int(entity[1:]), ts // DAY_MS
        address = f"10.1.{number}.{day % 250}" if number % 3 else f"113.{160 + number % 2}.{number}.{day % 250}"
        yield ts, entity, {"event.action": fields["event.action"], "source.ip": address}


def test_who_is_at_two_places_within_an_hour_is_shown():
    away = [(TEN + step * 60_000, "u04", {"event.action": "read", "source.ip": "45.9.1.7"}) for step in range(3)]
    shown = [item for item in run([*signed_in(9), *away]) if item.entity == "u04" and item.time > TEN]
    found = next(why for item in shown for why in item.why if why.feature == "travel source.ip")
    assert found.value == "45.9.0.0/16, private"
    assert (found.expected, found.actual) == (0.0, 2)
    assert found.feature in [why.feature for why in shown[0].why[:3]]


def test_another_address_of_the_same_network_is_no_travel():
    near = [(TEN + step * 60_000, "u03", {"event.action": "read", "source.ip": "113.161.77.1"}) for step in range(3)]
    assert not [why for item in run([*signed_in(9), *near]) for why in item.why if why.feature == "travel source.ip"]


def test_who_moves_all_the_time_is_not_surprising():
    def moving():
        for ts, entity, fields in signed_in(9):
            yield ts, entity, fields
            if entity == "u05":
                yield ts + 1, entity, {**fields, "source.ip": "171.224.9.9"}

    late = [item for item in run(moving()) if item.entity == "u05" and item.time > TEN - 10 * 3_600_000]
    assert not [why for item in late for why in item.why if why.feature == "travel source.ip"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("10.1.2.3", "private"), ("192.168.0.9", "private"), ("127.0.0.1", "private"), ("fe80::1", "private"),
        ("113.160.1.2", "113.160.0.0/16"), ("::ffff:113.160.1.2", "113.160.0.0/16"), ("2405:4800:1::1", "2405:4800::/32"),
        ("VN", "VN"), ("7552", "7552"), ("1.2.3.4.5", ""), ("a:b", ""), ("portal.gov.vn", ""),
    ],
)  # fmt: skip
def test_places(text, place):
    assert travel.place(text) == place


@pytest.mark.parametrize(
    ("entity", "what", "at"),
    [
        ("user.id", ("event.action", "source.ip"), 1),
        ("user.id", ("source.ip", "source.geo.country_iso_code"), 1),
        ("user.id", ("event.action",), -1),
        ("source.ip", ("source.ip", "source.geo.country_iso_code"), -1),
        ("user.id + source.ip", ("source.ip",), -1),
        ("user.id+source.ip", ("source.ip",), -1),
    ],
)
def test_which_field_says_where(entity, what, at):
    assert travel.of(entity, what) == at


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("999", "1000"),
        ("0010", "0011"),
        ("/ho-so/H27.55-260301-0099", "/ho-so/H27.55-260301-0100"),
        ("ma-12.pdf", "ma-13.pdf"),
        ("0", "1"),
        ("cccd_abc", None),
    ],
)
def test_what_is_beside_a_number(text, after):
    assert beside(text) == after


@given(st.text(max_size=160))
def test_any_text_has_a_neighbour_or_none(text):
    near = beside(text)
    assert near is None or (near != text and beside(near) is not None)


@pytest.mark.parametrize("order", ["up", "down", "mixed"])
def test_numbers_that_follow_each_other_are_counted_whatever_their_order(order):
    files = [f"/ho-so/H27.55-260301-{at:04d}" for at in range(100)]
    files = files[::-1] if order == "down" else random.Random(1).sample(files, 100) if order == "mixed" else files
    activity = Activity(1, 0)
    activity.counts[0] = dict.fromkeys(files, 1)
    profile, everybody = Profile(1), Population(1)
    assert new(profile, everybody, activity).sequential == [99]
    profile.values[0] = {file: [1.0, 1.0, 1.0] for file in files[:50]}  # going through what it knows already is no walk
    assert new(profile, everybody, activity).sequential[0] <= 50


def test_who_walks_through_files_is_shown_with_that_reason():
    def acts():
        chance = random.Random(3)
        for ts, entity, _ in office(9):
            yield ts, entity, {"url.path": f"/ho-so/H27.{chance.randrange(10, 99)}-{chance.randrange(10**4):04d}"}
        for step in range(60):
            yield TEN + step * 10_000, "u06", {"url.path": f"/ho-so/H27.55-{step:04d}"}

    watched, items = Profiles("user.id", ("url.path",), Budget(10), bucket_ms=BUCKET_MS), []
    for ts, entity, fields in sorted(acts(), key=lambda act: act[0]):
        items += watched.close(ts)
        watched.observe(ts, entity, fields)
    items += watched.close(1 << 50)
    shown = next(item for item in items if item.entity == "u06" and item.time > TEN)
    walk = next(why for why in shown.why[:3] if why.feature == "sequential url.path")
    assert walk.actual >= 59
