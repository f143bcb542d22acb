"""The search behind an item finds the events that were counted of its entity."""

from __future__ import annotations

import pytest
from streams import START

from detector.entities.item import Item
from detector.entities.stream import Kind
from detector.entities.text import kept
from detector.people.definition import People
from detector.people.tell import query_of
from soc.model.event import iso
from soc.query.evaluate import predicate
from soc.query.parse import parse

BASE = {"name": "mine", "system": "lgsp", "titles": {"vi": "x", "en": "x"}, "datasets": ["lgsp.gateway"]}
AT = START + 60_000


@pytest.mark.parametrize("names", [["user.name"], ["user.name", "url.path"]])
@pytest.mark.parametrize("length", [5, 70, 100, 159, 160, 161, 400])
def test_an_entity_whose_name_was_cut_is_found(length, names):
    people = People.model_validate(BASE | {"entity": names, "what": ["source.ip"]})
    document = {name: f"{name} (*) " + "x" * length for name in names}
    entity = kept(Kind("+".join(names)).of(document))
    item = Item(AT, START, people.field, entity, 0.9, 9.0, 3, ())
    search = predicate(parse(query_of(people, "hungyen", item)))
    fields = {"event.dataset": "lgsp.gateway", "organization.id": "hungyen", "@timestamp": iso(START + 1)}
    assert search(fields | document)
    assert not search(fields | dict.fromkeys(names, "x"))
