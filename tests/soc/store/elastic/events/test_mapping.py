"""The table of fields covers what is documented and what parsers emit; and nothing in an event makes it unfindable."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.own_fields import MODULE, PAGE, module
from soc.query.ast import TEXT_FIELDS, TIME_FIELDS
from soc.query.fold import fold
from soc.store.elastic.admin import layout
from soc.store.elastic.events import mapping
from soc.store.elastic.events.added import LONGEST, OVERLAP, added, plain, without_added
from soc.store.elastic.events.fields import ECS, FIELDS, FOLDED, KNOWN, OWN, UNKNOWN

ROOT = Path(__file__).parents[5]
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*/*.json"))
# What the Elastic Common Schema calls a type, and what of ours searches it as well.
COMPATIBLE = {
    "match_only_text": {"text"},
    "wildcard": {"keyword", "wide keyword"},
    "keyword": {"keyword", "wide keyword"},
    "float": {"double"},
}
# The schema does not index the first: people look inside lines. The second is one JSON string of ours.
OTHERWISE = {"event.original": ("keyword", "text"), "log.syslog.structured_data": ("flattened", "wide keyword")}


def test_our_own_fields_are_those_that_are_documented():
    assert (ROOT / MODULE).read_text() == module((ROOT / PAGE).read_text()), "run `make docs`"


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("| `govsoc.x.y` | float | in ms | all |", "docs/fields.md:2: 'float' is none of the types keyword, "),
        ("| `govsoc.a` | keyword list | again | all |", "docs/fields.md:2: govsoc.a has a row already"),
        ("| `govsoc.x.y` |", "docs/fields.md:2: '' is none of the types"),
    ],
)
def test_a_row_that_says_no_type_is_named(row, complaint):
    with pytest.raises(SystemExit, match=re.escape(complaint)):
        module(f"| `govsoc.a` | wide keyword list | a field | all |\n{row}\n")


@pytest.mark.parametrize("version", ["8.11.0", "8.17.0"])
def test_the_other_fields_are_of_the_common_schema_and_of_its_types(test_data, version):
    schema = yaml.load((test_data / "ecs" / f"ecs_flat_v{version}.yml").read_text(), yaml.CSafeLoader)
    assert ECS.keys() <= schema.keys()
    differ = {
        name: (theirs, kind)
        for name, kind in ECS.items()
        if kind not in COMPATIBLE.get(theirs := schema[name]["type"], {theirs})
    }
    assert differ == OTHERWISE


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_field_of_every_parser_is_known_and_of_its_kind(golden):
    python = {"long": int, "double": (int, float), "boolean": bool}
    for document in orjson.loads(golden.read_bytes()):
        assert document.keys() <= KNOWN
        for name, value in document.items():
            for item in value if isinstance(value, list) else [value]:
                assert isinstance(item, python.get(FIELDS.get(name), str)), name


def test_the_language_and_the_mapping_agree_on_running_text_and_times():
    assert {name for name, kind in FIELDS.items() if kind == "text"} == TEXT_FIELDS
    assert {name for name, kind in FIELDS.items() if kind == "date"} == TIME_FIELDS
    assert not OWN.keys() & ECS.keys()


def test_a_digest_changes_with_what_it_stands_for():
    one, other = mapping.templates(1, 1), mapping.templates(2, 1)
    assert one["govsoc-events"]["_meta"]["digest"] != other["govsoc-events"]["_meta"]["digest"]
    assert one == mapping.templates(1, 1)
    assert not mapping.templates().keys() & layout.templates().keys()


def test_plain_documents_get_nothing_added():
    assert added({"message": "x" * LONGEST, "related.ip": ["10.0.0.1"], "source.port": 4, "user.name": None}) == {}


def test_other_letters_are_added_folded_and_unknown_fields_under_one_name():
    fields = {
        "message": "Đăng nhập",
        "related.user": ["an", "Hưng"],
        "x.y": "Ý",
        "x.z": None,
        "x.n": [1, None, "a" * 5000],
    }
    more = added(fields)
    assert more == {FOLDED: ["dang nhap", "hung", "y"], UNKNOWN: {"x.y": "Ý", "x.n": [1, "a" * 1000]}}
    assert without_added(fields | more) == fields


@given(st.integers(0, 30_000), st.text(max_size=OVERLAP), st.sampled_from(["a", "ệ", "😀"]))
def test_whatever_is_looked_for_is_whole_in_one_piece_of_a_long_text(at, wanted, filler):
    text = filler * at + wanted + filler * (LONGEST + 1)
    pieces = added({"message": text})[FOLDED]
    assert all(len(piece.encode("utf-16-le", "surrogatepass")) // 2 <= LONGEST for piece in pieces)
    assert any(fold(wanted)[:OVERLAP] in piece for piece in pieces)


VALUES = st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1), st.lists(st.text()))


@given(st.dictionaries(st.sampled_from(sorted(KNOWN)), VALUES))
def test_a_plain_document_of_known_fields_needs_nothing_added(fields):
    if plain(orjson.dumps(fields).decode()):
        assert added(fields) == {}
