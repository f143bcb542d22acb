"""How events are kept in Elasticsearch: one index template for every `govsoc-events-*`, made from the tables in `fields`.

No document is ever refused for what is in it: fields are flat (`subobjects: false`), so a name may be both a value and a
prefix; unknown ones change nothing (`dynamic: false`); a value of the wrong kind is kept and its field noted in `_ignored`.
"""

from __future__ import annotations

from soc.store.elastic.digest import Json, stamped
from soc.store.elastic.events.added import LONGEST
from soc.store.elastic.events.field_type import Type
from soc.store.elastic.events.fields import FIELDS, FOLDED, ID, UNKNOWN
from soc.store.elastic.names import PREFIX

_TYPES: dict[Type, Json] = {
    "keyword": {"type": "keyword", "normalizer": "lower", "ignore_above": LONGEST},
    "wide keyword": {"type": "keyword", "normalizer": "lower", "ignore_above": LONGEST, "doc_values": False},
    # Only ever asked whether a word is in it: neither where nor how often.
    "text": {"type": "text", "analyzer": "line", "index_options": "docs", "norms": False},
    "long": {"type": "long"},
    "double": {"type": "double"},
    # By its text, as it was written, for what is not asked by value: 203.0.113.*
    "ip": {"type": "ip", "fields": {"text": {"type": "keyword", "normalizer": "lower", "doc_values": False}}},
    "date": {"type": "date", "format": "strict_date_optional_time"},
    "boolean": {"type": "boolean"},
}
_ANALYSIS: Json = {
    "normalizer": {"lower": {"type": "custom", "filter": ["lowercase"]}},
    "tokenizer": {"words": {"type": "standard", "max_token_length": LONGEST}},
    "analyzer": {"line": {"type": "custom", "tokenizer": "words", "filter": ["lowercase"]}},
}
COMPONENT = f"{PREFIX}-events-fields"
TEMPLATE = f"{PREFIX}-events"
REFRESH_S = 5  # so long after it was written a search may not find an event


def properties() -> Json:
    """Field -> mapping, of everything that is indexed in an event."""
    return {
        **{name: _TYPES[kind] for name, kind in FIELDS.items()},
        ID: {"type": "keyword", "index": False},
        FOLDED: _TYPES["text"],
        UNKNOWN: {"type": "flattened", "ignore_above": LONGEST},
    }


def mappings() -> Json:
    return {"dynamic": False, "subobjects": False, "properties": properties()}


def component_templates() -> dict[str, Json]:
    """The fields by themselves, so that an administrator's own template for other indices may use them too."""
    index = {"mapping": {"ignore_malformed": True, "coerce": False}, "analysis": _ANALYSIS}
    return {COMPONENT: stamped({"template": {"settings": {"index": index}, "mappings": mappings()}})}


def templates(shards: int = 1, replicas: int = 1) -> dict[str, Json]:
    """Name -> index template. `replicas`: copies where there are nodes enough for them, none on a single node."""
    index: Json = {
        "number_of_shards": shards,
        "auto_expand_replicas": f"0-{replicas}",
        "refresh_interval": f"{REFRESH_S}s",
    }
    body: Json = {
        "index_patterns": [f"{TEMPLATE}-*"],
        "priority": 500,
        "composed_of": [COMPONENT],
        "template": {"settings": {"index": index}},
    }
    return {TEMPLATE: stamped(body)}
