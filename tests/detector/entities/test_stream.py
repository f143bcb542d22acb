"""Logs as they come."""

from __future__ import annotations

import pytest
from habits import MONDAY_MS

from detector.entities.bounds import Bounds
from detector.entities.budget import Budget
from detector.entities.document import getter, time_of
from detector.entities.profiles import Profiles
from detector.entities.stream import Stream, stream_of
from soc.model.event import iso

HOUR = 3_600_000


def stream(*names: str) -> Stream:
    return stream_of(names or ("user.id",), ("event.action",), Budget(10), 900_000)


def event(ts: int, user: str = "a", **more: object) -> dict[str, object]:
    return {"@timestamp": iso(ts), "user": {"id": user}, "event": {"action": "read", **more}}


def buckets(watched: Stream) -> dict[str, float]:
    list(watched.end())
    return {entity: profile.habits.buckets for entity, profile in watched._profiles[0].entities.items()}


def test_out_of_order_inside_the_lateness_is_as_in_order():
    watched = stream()
    for ts in (0, 899_000, 910_000, 890_000, 930_000):  # the fourth is of the first bucket
        watched.feed(event(MONDAY_MS + ts))
    assert buckets(watched) == {"a": 2}
    assert not any("closed" in text for text in watched.remarks())


def test_later_than_that_is_counted():
    watched = stream()
    for ts in (0, HOUR, 0):
        watched.feed(event(MONDAY_MS + ts))
    assert any(
        text.startswith("1 of 3 events of user.id came after their bucket was closed") for text in watched.remarks()
    )


def test_names_that_no_event_has_are_said():
    watched = stream_of(["user.id"], ["event.action", "event.acton"], Budget(10), 900_000)
    for ts in (0, HOUR):
        watched.feed(event(MONDAY_MS + ts))
    list(watched.end())
    assert "no event of a user.id has event.acton: are the names right?" in watched.remarks()
    assert not any("names" in text for text in watched.remarks(chosen=True)), "which nobody gave"


def test_names_are_not_doubted_because_nearly_all_events_were_late():
    watched = stream_of(["user.id"], ["event.action", "event.acton"], Budget(10), 900_000)
    for hours in range(20, 0, -1):
        watched.feed(event(MONDAY_MS + hours * HOUR))
        watched.feed(event(MONDAY_MS + hours * HOUR + 1))
    list(watched.end())
    (late,) = [text for text in watched.remarks() if "is the log sorted by @timestamp?" in text]
    assert late.startswith("38 of 40 events of user.id came after their bucket was closed")
    assert [text for text in watched.remarks() if "names" in text] == [
        "no event of a user.id has event.acton: are the names right?"
    ]


def test_who_was_forgotten_for_others_is_said():
    profiles = Profiles("user.id", ["event.action"], Budget(10), bounds=Bounds(entities=10))
    for n in range(40):
        profiles.note(MONDAY_MS + n * HOUR, f"u{n}", [(0, "read")])
        profiles.close(MONDAY_MS + n * HOUR + HOUR)
    assert profiles.forgotten == 30
    assert len(profiles.entities) == 10


def test_duplicates_are_counted_once():
    watched = stream()
    for _ in range(3):
        watched.feed(event(MONDAY_MS, id="x"))
    watched.feed(event(MONDAY_MS, id="y"))
    assert watched._profiles[0].open[MONDAY_MS]["a"].events == 2
    assert watched.duplicates == 2


def test_an_id_of_a_kind_of_events_is_no_id_of_an_event():
    watched = stream()
    for step in range(5):
        watched.feed(event(MONDAY_MS + step, id="4624"))
        watched.feed(event(MONDAY_MS + step, user="b", id="4624"))
    assert watched.duplicates == 0


def test_memory_of_ids_is_bounded(monkeypatch):
    monkeypatch.setattr("detector.entities.stream._REMEMBERED", 100)
    watched = stream()
    for step in range(1000):
        watched.feed(event(MONDAY_MS + step, id=f"i{step}"))
    assert len(watched._ids) + len(watched._ids_before) <= 200
    watched.feed(event(MONDAY_MS + 990, id="i990"))
    assert watched.duplicates == 1


def test_one_clock_that_is_wrong_does_not_end_the_log():
    watched = stream()
    for step in range(30):
        watched.feed(event(MONDAY_MS + step * 60_000))
        if step in (3, 20):
            watched.feed(event(MONDAY_MS + 400 * 24 * HOUR, user="wrong"))
    assert buckets(watched) == {"a": 2}
    assert watched.jumped == 2


def test_a_gap_is_believed_when_enough_events_say_so():
    watched = stream()
    watched.feed(event(MONDAY_MS))
    for step in range(12):
        watched.feed(event(MONDAY_MS + 30 * 24 * HOUR + step * 1000))
    assert watched.jumped == 0
    assert buckets(watched)["a"] > 1


def test_a_short_log_behind_a_gap_is_not_lost():
    watched = stream()
    watched.feed(event(MONDAY_MS))
    watched.feed(event(MONDAY_MS + 30 * 24 * HOUR))
    assert buckets(watched)["a"] > 1


def test_what_has_no_time_or_no_entity_is_counted():
    watched = stream()
    for document in (
        {"user.id": "a"},
        {"@timestamp": "yesterday", "user.id": "a"},
        {"@timestamp": iso(MONDAY_MS), "user": {"id": "-"}},
    ):
        watched.feed(document)
    watched.feed({"@timestamp": iso(MONDAY_MS), "user": {"id": {"deeper": 1}}})
    assert (watched.undated, watched.nameless) == (2, 2)


def test_kinds_are_apart_and_pairs_are_pairs():
    watched = stream("user.id", "source.ip", "user.id+source.ip")
    watched.feed({"@timestamp": iso(MONDAY_MS), "user.id": "a", "source": {"ip": ["10.0.0.1", "10.0.0.2"]}})
    watched.feed({"@timestamp": iso(MONDAY_MS), "user.id": "b"})
    assert [sorted(profiles.open[MONDAY_MS]) for profiles in watched._profiles if profiles.open] == [
        ["a", "b"],
        ["10.0.0.1"],
        ["a + 10.0.0.1"],
    ]


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("2026-03-02T00:00:00Z", MONDAY_MS),
        ("2026-03-02T07:00:00.000+07:00", MONDAY_MS),
        ("2026-03-02 00:00:00", MONDAY_MS),
        (MONDAY_MS, MONDAY_MS),
        (MONDAY_MS / 1000, MONDAY_MS),
        (str(MONDAY_MS), MONDAY_MS),
        (MONDAY_MS * 1000, MONDAY_MS),
        (MONDAY_MS * 1_000_000, MONDAY_MS),
        *(
            (bad, None)
            for bad in ("", "x", None, True, -1, 0, float("nan"), float("inf"), [], {}, "1e999", 10**30, "9" * 400)
        ),
    ],
)
def test_times(value, ms):
    assert time_of(value) == ms


@pytest.mark.parametrize(
    "document",
    [
        {"winlog.event_data.User": "x"},
        {"winlog": {"event_data": {"User": "x"}}},
        {"winlog": {"event_data.User": "x"}},
        {"winlog.event_data": {"User": "x"}},
    ],
)
def test_fields_are_found_nested_and_flat(document):
    assert getter("winlog.event_data.User")(document) == "x"


def test_fields_of_objects_in_lists_are_a_list():
    assert getter("process.parent.name")({"process": [{"parent": {"name": "a"}}, {"parent.name": "b"}, 3]}) == [
        "a",
        "b",
    ]
    assert getter("a.b.c")({"a": "text"}) is None
