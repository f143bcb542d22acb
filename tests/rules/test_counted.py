"""The window that holds an event, worked out again from the events of an alert."""

from __future__ import annotations

from rules.desk.counted import window
from rules.load.folders import loads
from soc.model.asked import Bounds
from soc.model.event import Event

BASES = (
    "title: A\nname: a\nid: 11111111-1111-4111-8111-111111111111\nlogsource: {category: test}\n"
    "detection: {s: {kind: a}, condition: s}\n---\n"
    "title: B\nname: b\nid: 22222222-2222-4222-8222-222222222222\nlogsource: {category: test}\n"
    "detection: {s: {kind: b}, condition: s}\n---\n"
)


def worked_out(correlation, fields, at, bounds=None):
    """`fields`: of one event a second. Of the window that holds the one `at`: its times, what it comes to, and which events."""
    ruleset = loads(f"{BASES}title: C\nname: c\ncorrelation: {{{correlation}, group-by: ip, timespan: 10s}}\n")
    assert not ruleset.errors
    times = [1_000_000 + i * 1000 for i in range(len(fields))]
    events = [Event(f"{ts:032x}", ts, "o", "", {"ip": "x", **one}) for ts, one in zip(times, fields, strict=True)]
    found, counted = window(ruleset.get("c"), ruleset, events[at], events, bounds or {})
    if found is None:
        return None, [len(one.bases) for one in counted]
    places = [events.index(one.event) for one in found.events]
    return (found.since - 1_000_000, found.until - 1_000_000, found.size, places), [len(one.bases) for one in counted]


def test_its_own_window_comes_first_else_the_first_that_holds_it() -> None:
    asked = "type: value_count, rules: a, condition: {gte: 2, field: v}"
    fields = [{"kind": "a", "v": v} for v in (1, 1, 2, 2, 3)]
    assert worked_out(asked, fields, 4)[0] == (-6000, 4000, 3, [0, 1, 2, 3, 4])
    assert worked_out(asked, fields, 0)[0] == (-8000, 2000, 2, [0, 1, 2])


def test_it_says_which_rule_found_each() -> None:
    fields = [{"kind": "a"}, {"kind": "c"}, {"kind": "b"}]
    found, bases = worked_out("type: temporal_ordered, rules: [a, b]", fields, 0)
    assert (found, bases) == ((-8000, 2000, 2, [0, 2]), [1, 0, 1])
    assert worked_out("type: temporal_ordered, rules: [a, b]", fields[::-1], 0)[0] is None


def test_of_an_absence_it_is_the_time_in_which_nothing_came() -> None:
    assert worked_out("type: absence, rules: [a, b]", [{"kind": "a"}], 0)[0] == (0, 10_000, 0, [0])
    assert worked_out("type: absence, rules: [a, b]", [{"kind": "a"}, {"kind": "b"}], 0)[0] is None


def test_what_an_organisation_has_of_its_own_is_asked() -> None:
    fields = [{"kind": "a"}] * 3
    asked = "type: event_count, rules: a, condition: {gte: 2}"
    assert worked_out(asked, fields, 2)[0] is not None
    assert worked_out(asked, fields, 2, {"": Bounds(threshold=4)})[0] is None
    assert worked_out(asked, fields, 2, {"": Bounds(timespan_s=1)})[0] is None
