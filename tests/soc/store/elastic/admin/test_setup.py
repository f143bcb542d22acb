"""What a setup brings to indices that are there."""

from __future__ import annotations

import pytest

from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect

pytestmark = pytest.mark.server


def test_new_fields_also_inside_of_others_come_to_indices_that_are_there(elastic):
    index, known = (
        "govsoc-alerts-h42",
        {"id": {"type": "keyword"}, "triage": {"properties": {"version": {"type": "long"}}}},
    )
    with connect(elastic.url) as client:
        client.indices.create(index=index, mappings={"dynamic": False, "properties": known})
        assert any(index in line for line in setup.missing(client))
        assert any(index in line for line in setup.install(client))
        fields = client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
        assert fields["triage"]["properties"]["incident"]["type"] == "keyword"
        assert fields["triage"]["properties"]["version"]["type"] == "long"
        assert fields["level"]["type"] == "keyword"
        assert setup.missing(client) == setup.install(client) == []
