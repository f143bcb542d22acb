"""Crowds: kinds of entities are declared, clocks are wrong now and then, and there is room for so many organisations."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from officers import CURIOUS, DAY, HOUR, lookups
from streams import START, stored

from detector.entities.item import Kind, Why
from detector.people import watch as watch_module
from detector.people.definition import load
from detector.people.watch import Kept, Watch
from detector.people.words import worded
from soc.errors import ConfigError
from soc.query.parse import parse

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
OFFICERS = load().by_name["officers"]


def watch(**bounds: int) -> Watch:
    return Watch({"officers": OFFICERS}, ZONE, **bounds)


def of(watched: Watch, org: str = "hungyen"):
    return watched._crowds[org, "officers"].crowd


def test_those_that_come_with_govsoc_are_ten_items_a_day_together():
    declared = load()
    assert not declared.faults
    assert sum(one.per_day for one in declared.by_name.values()) == 10
    assert all(one.runbook for one in declared.by_name.values())


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("system: mars", "system"),
        ("where: 'a:('", "where"),
        ("what: [user.id, user.id]", "`what` names one twice"),
        ("entity: []", "entity"),
        ("bucket: 1m", "bucket"),
        ("colour: red", "colour"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, field):
    fields = {
        "name": "mine", "system": "lgsp", "titles": "{vi: x, en: x}", "datasets": "[lgsp.gateway]", "entity": "[user.id]",
        "what": "[source.ip]",
    }  # fmt: skip
    name, _, value = text.partition(": ")
    (tmp_path / "mine.yml").write_text("".join(f"{key}: {one}\n" for key, one in (fields | {name: value}).items()))
    declared = load([tmp_path])
    assert not declared.by_name
    (fault,) = declared.faults
    assert field in fault.reason
    assert (Path(fault.path).name, bool(fault.line)) == ("mine.yml", True)


def test_organisations_beyond_the_room_are_counted_and_nothing_else_of_them_is_kept():
    watched = watch(most=2)
    for number in range(4):
        watched.feed(lookups(1, number, officers=2, org=f"o{number}"))
    assert sorted(watched._crowds) == [("o0", "officers"), ("o1", "officers")]
    (beyond,) = [one for one in watched.changes().crowds if not one.org]
    assert beyond.other == sum(len(list(lookups(1, number, officers=2))) for number in (2, 3))


def test_who_walks_through_citizen_ids_is_named_at_an_ordinary_pace():
    """As many lookups as on any day; all that there is about it is that the ids follow each other."""
    assert CURIOUS not in {one.entity for one in watch().feed(lookups(6, 1)) if one.at > START + 4 * DAY}
    found = [one for one in watch().feed(lookups(6, 1, walks_on=4)) if one.entity == CURIOUS]
    first = next(one for one in found if one.at > START + 4 * DAY)
    assert first.at < START + 4 * DAY + 2 * HOUR, "early on the day"
    assert any(why.field == "govsoc.subject.walk" for why in first.reasons[:3])
    assert any("số định danh nối tiếp" in why.text["vi"] for why in first.reasons)
    assert any("citizen ids in a row" in why.text["en"] for why in first.reasons)


def test_a_clock_that_is_ahead_for_a_few_events_changes_nothing():
    calm, upset = watch(), watch()
    events = list(lookups(6, 1, curious_on=4))
    wrong = [
        stored(START + 400 * DAY + n, n, "lgsp.gateway", user__id="canbo.01", govsoc__lgsp__subject="cccd_1")
        for n in range(5)
    ]
    expected = calm.feed(events)
    assert CURIOUS in {one.entity for one in expected}
    assert upset.feed([*events[:900], *wrong, *events[900:]]) == expected
    assert of(upset).standing().late == 5


def test_a_clock_that_was_believed_and_goes_back_does_not_blind_it_for_a_year():
    watched = watch()
    watched.feed(lookups(2, 1, start=START + 400 * DAY))
    found = watched.feed(lookups(18, 2, curious_on=16))
    assert CURIOUS in {one.entity for one in found}
    assert of(watched).profiles.closed < START + 18 * DAY


def test_time_goes_on_while_none_of_them_does_anything():
    watched = watch()
    for event in lookups(1, 1):
        watched.feed([event])
    assert of(watched).profiles.open
    idle = stored(START + 11 * HOUR, 1, "lgsp.gateway", govsoc__lgsp__consumer="motcua")
    watched.feed([idle])
    assert not of(watched).profiles.open


def test_what_was_told_leads_to_the_same_place_as_what_was_snapped(monkeypatch):
    monkeypatch.setattr(watch_module, "_SOONER", 1000)
    events = list(lookups(5, 1, curious_on=4))
    whole = watch()
    expected = whole.feed(events)
    for cut in (1, 700, 2000, 2300):
        first = watch()
        found = first.feed(events[:cut])
        done = first.changes()
        again = watch()
        kept = {
            key: Kept(done.hashes[key], done.snapshots.get(key), [done.told[key]] if key in done.told else [])
            for key in done.hashes
        }
        assert again.load(kept, {}) == []
        assert found + again.feed(events[cut:]) == expected
        assert of(again).dump() == of(whole).dump()


def test_what_is_damaged_is_learned_anew_and_said():
    watched = watch()
    (why,) = watched.load({("hungyen", "officers"): Kept(OFFICERS.hash, b"\x90", [])}, {})
    assert why.startswith("officers of hungyen")
    assert watched.changes().gone == [("hungyen", "officers")]
    (why,) = watched.load({("hungyen", "officers"): Kept("another", None, [])}, {})
    assert "another now" in why
    with pytest.raises(ConfigError):
        of(watch_with_one()).profiles.load(b"nothing")


def watch_with_one() -> Watch:
    watched = watch()
    watched.feed(lookups(1, 1, officers=1))
    return watched


def test_a_name_with_quotes_is_searched_for_as_it_is():
    watched = watch()
    odd = 'canbo "7" \\ (a)'
    events = [
        stored(
            one.ts,
            n,
            "lgsp.gateway",
            **{**fields(one), "user.id": odd if "07" in fields(one)["user.id"] else fields(one)["user.id"]},
        )
        for n, one in enumerate(lookups(6, 1, curious_on=4))
    ]
    found = [one for one in watched.feed(events) if one.entity == odd]
    assert found
    parse(found[0].query)
    assert '\\"7\\"' in found[0].query


def fields(one):
    return one.event.fields


@pytest.mark.parametrize("kind", list(Kind))
def test_every_reason_has_words_in_both_languages(kind):
    why = Why(kind, "govsoc.lgsp.subject", "cccd_1", 0.0123, 1234.0, 0.5, 8.0)
    vi, en = (worded(why, 15, language) for language in ("vi", "en"))
    assert vi != en
    assert "{" not in vi + en
    if kind not in (Kind.HOUR, Kind.RARE, Kind.SHARE):
        assert "1.234" in vi
        assert "1,234" in en
