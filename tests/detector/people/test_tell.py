"""The search behind an item finds the events that were counted of its entity."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from officers import lookups
from streams import START

from detector.entities.item import Item, Why
from detector.entities.item import Kind as Of
from detector.entities.stream import Kind
from detector.entities.text import kept
from detector.people.definition import People, load
from detector.people.tell import finding_of, query_of, unusual_of
from detector.people.watch import Watch
from soc.model.calendar import HOUR_MS
from soc.model.event import iso
from soc.query.evaluate import predicate
from soc.query.parse import parse

BASE = {"name": "mine", "system": "lgsp", "titles": {"vi": "x", "en": "x"}, "datasets": ["lgsp.gateway"]}
AT = START + 60_000


def people_of(*names: str) -> People:
    return People.model_validate(BASE | {"entity": names, "what": ["source.ip"]})


def searching(people: People, item: Item):
    return predicate(parse(query_of(people, "hungyen", item)))


def fields(at: int = START + 1) -> dict[str, str]:
    return {"event.dataset": "lgsp.gateway", "organization.id": "hungyen", "@timestamp": iso(at)}


@pytest.mark.parametrize("names", [["user.name"], ["user.name", "url.path"]])
@pytest.mark.parametrize("length", [5, 70, 100, 126, 127, 128, 129, 130, 159, 160, 161, 400])
@pytest.mark.parametrize("begin", ["(*) ", "a + ", " + + + + "])
def test_an_entity_whose_name_was_cut_is_found(length, names, begin):
    people = people_of(*names)
    document = {name: f"{name} {begin}" + "x" * length for name in names}
    entity = kept(Kind("+".join(names)).of(document))
    search = searching(people, Item(AT, START, people.field, entity, 0.9, 9.0, 3, ()))
    assert search(fields() | document)
    assert not search(fields() | dict.fromkeys(names, "x"))


@pytest.mark.parametrize(
    "values",
    [("CU A", "B"), ("CU A + B", "C"), ("CU A", "B + C"), ("CU +", "+ B"), ("+ + + + + + +", "B")],
)
def test_values_with_the_sign_that_joins_them_are_found(values):
    people = people_of("user.name", "url.path")
    document = dict(zip(people.entity, values, strict=True))
    entity = Kind("user.name+url.path").of(document)
    item = Item(AT, START, people.field, entity, 0.9, 9.0, 3, ())
    search = searching(people, item)
    assert search(fields() | document)
    assert not search(fields() | document | {"user.name": "other"})
    named = {
        name: value
        for name, value in finding_of(unusual_of(people, "hungyen", item)).matched.items()
        if name in document
    }
    assert named == (document if values == ("CU A", "B") else {}), "rather nothing than another's name"


def test_what_is_about_the_day_is_searched_from_its_midnight():
    people = people_of("user.name")
    whys = {kind: Why(kind, "", "", 1.0, 75.0, 1.0, 9.0) for kind in (Of.EVENTS, Of.EVENTS_DAY)}
    midnight = START - 7 * HOUR_MS

    def found(kind: Of, at: int, since: int = START) -> bool:
        item = Item(AT, since, people.field, "an", 0.9, 9.0, 5, (whys[kind],), day=midnight)
        return searching(people, item)(fields(at) | {"user.name": "an"})

    assert found(Of.EVENTS_DAY, midnight)
    assert not found(Of.EVENTS_DAY, midnight - 1)
    assert not found(Of.EVENTS, START - 1)
    yesterday = midnight - HOUR_MS
    assert found(Of.EVENTS_DAY, yesterday, since=yesterday), "an episode may have begun before the day"


@pytest.mark.parametrize("zone", ["Asia/Ho_Chi_Minh", "America/New_York"])
def test_as_many_events_are_found_as_are_counted_since_the_day_began(zone):
    """In New York their working day ends after midnight."""
    events = list(lookups(6, 1, curious_on=4))
    watched = Watch({"officers": load().by_name["officers"]}, ZoneInfo(zone))
    (one, why) = next((one, why) for one in watched.feed(events) for why in one.reasons if why.kind == "events-day")
    search = predicate(parse(one.query))
    told = (event.event for event in events)
    found = [search(each.fields | fields(each.ts)) for each in told if each.ts <= one.at]
    assert sum(found) == why.actual > one.events
