"""Definitions are read strictly: what is wrong with one is said with file, line and field, and the others run."""

from __future__ import annotations

import os

import pytest

from detector.series.definition import CONTENT, Definition, instead, load, loads
from detector.series.document import MAX_FILE_BYTES
from detector.series.meter import meter_of
from soc.model.system import SYSTEMS

GOOD = """
name: calls
system: lgsp
titles: {vi: "Lượt gọi", en: "Calls"}
dataset: lgsp.gateway
measure: count
"""


def of(tmp_path, text: str | bytes):
    (tmp_path / "own.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load([tmp_path])


def test_all_that_come_with_govsoc_are_whole():
    found = load([CONTENT])
    assert not found.faults
    assert {one.system for one in found.by_name.values()} == {"otp", "lgsp", "portal"}
    for one in found.by_name.values():
        assert one.name.startswith(one.system)
        assert one.unit


@pytest.mark.parametrize(
    ("line", "at", "why"),
    [
        ("measure: median", 6, "measure: "),
        ("measure: ratio", 2, "needs `hit`"),
        ("measure: quantile", 2, "needs `field`"),
        ("measure: conversion\nhit: a:b", 2, "needs `where`, other than `hit`"),
        ("measure: conversion\nhit: a:b\nwhere: ' '\njoin: id", 2, "needs `where`, other than `hit`"),
        ("measure: conversion\nhit: a:b\nwhere: 'a:b '\njoin: id", 2, "needs `where`, other than `hit`"),
        ("measure: count\nwhere: 'a:['", 7, "where: is no search expression"),
        ("measure: count\ngroup_by: [a, b, c, d, e]", 7, "group_by"),
        ("measure: count\ngroup_by: ['no field!']", 7, "is no field"),
        ("measure: count\nbuckets: 1m", 7, "buckets"),
        ("measure: count\nbucket: 7m", 7, "bucket"),
        ("measure: count\npage: {change: -1}", 7, "page.change"),
        ("measure: count\nmeasure: count", 7, "twice"),
        ("measure: count\nmax_series: 1000000", 7, "max_series"),
        ("measure: mean\nfield: a\nby_load: true", 2, "`by_load` is for a mean in buckets of an hour"),
        ("measure: count\nbucket: 1h\nby_load: true", 2, "`by_load` is for a mean in buckets of an hour"),
        ("measure: count\njoin: id", 2, "`join` is for a conversion"),
        ("measure: count\nwithin: 30s", 2, "`within` needs `join`"),
        ("measure: conversion\nhit: a:b\njoin: id\nwithin: 45s", 9, "within"),
        ("measure: &a count\nunit: *a", 7, "aliases"),
        (
            "measure: count\nhit: event.outcome:failure",
            7,
            "hit: is for the measures ratio, conversion: a count does not use it",
        ),
        ("measure: distinct\nfield: a\nhit: a:b", 8, "hit: is for the measures ratio, conversion"),
        ("measure: count\nfield: user.id", 7, "field: is for the measures quantile, mean, distinct, repeats: a count"),
        (
            "measure: mean\nfield: a\nquantile: 0.95",
            8,
            "quantile: is for the measures quantile: a mean does not use it",
        ),
        ("measure: ratio\nhit: a:b\nscale: 1000", 8, "scale: is for the measures quantile, mean: a ratio"),
        ("measure: count\ngroup_by: user.id", 7, "group_by: has to be a list: [a, b]"),
        ("measure: count\nrunbook: Call them.", 7, "runbook: has to be written {vi: ..., en: ...}"),
        ("measure: count\npage: 3", 7, "page: has to be written {buckets: ..., change: ..., least: ...}"),
        ("measure: count\npage: {buckets: 2.5}", 7, "page.buckets: has to be a whole number"),
        ("measure: count\npage: {change: much}", 7, "page.change: has to be a number"),
        ("measure: count\nby_load: perhaps", 7, "by_load: has to be true or false"),
        ("measure: count\nunit: [a]", 7, "unit: has to be a text"),
        (
            "measure: ratio\nhit: a:b\npage: {change: 12}",
            2,
            "`page.change` of a ratio is in points of 1: 0.12 and not 12",
        ),
        ("measure: count\nbucket: 5m\npage: {buckets: 13}", 2, "`page.buckets` is 12 at most where a bucket is 5m"),
        ("measure: ratio\nhit: a:b\nbucket: 1h\npage: {buckets: 25}", 2, "`page.buckets` is 24 at most"),
    ],
)
def test_a_fault_says_where_and_the_others_run(tmp_path, line, at, why):
    broken = GOOD.replace("measure: count", line).replace("name: calls", "name: broken")
    (tmp_path / "a.yml").write_text(broken, encoding="utf-8")
    found = of(tmp_path, GOOD)
    assert list(found.by_name) == ["calls"]
    (fault,) = found.faults
    assert why in fault.reason
    assert fault.path == str(tmp_path / "a.yml")
    assert fault.line == at


def test_a_name_whose_rule_is_ours_is_refused(tmp_path):
    found = of(tmp_path, f"{GOOD.replace('name: calls', 'name: system-otp')}---{GOOD}")
    assert list(found.by_name) == ["calls"]
    assert [(fault.line, fault.reason) for fault in found.faults] == [
        (2, "names that begin with `system-` are ours: choose another")
    ]


def test_titles_are_of_two_languages_and_systems_those_that_there_are(tmp_path):
    titles = GOOD.replace('{vi: "Lượt gọi", en: "Calls"}', "Calls")
    found = of(tmp_path, f"{titles}---{GOOD.replace('system: lgsp', 'system: lgps')}")
    assert [(fault.line, fault.reason) for fault in found.faults] == [
        (4, "titles: has to be written {vi: ..., en: ...}"),
        (9, f"system: is 'lgps', and has to be one of {', '.join(SYSTEMS)}"),
    ]


def test_what_is_written_down_of_a_definition_has_fields_that_its_measure_does_not_use(tmp_path):
    (calls,) = of(tmp_path, GOOD).by_name.values()
    assert Definition.model_validate(calls.model_dump(mode="json")) == calls


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe",
        b"a: [",
        b"- 1\n- 2",
        b"x" * (MAX_FILE_BYTES + 1),
        b"[" * 5000,
        b"name: 2026-99-99",
        b"? {a: b}\n: c",
        b"!!python/x 1",
    ],
)
def test_no_file_stops_anything(tmp_path, text):
    found = of(tmp_path, text)
    assert not found.by_name
    assert found.faults


@pytest.mark.parametrize("text", ["[" * 24_000 + "]" * 24_000, "? " * 24_000, "- " * 24_000, "{a: " * 12_000])
def test_a_deep_text_is_a_fault_and_not_the_end_of_the_process(text):
    """Building it would follow its nesting on the stack of C."""
    (fault,) = loads(text, "deep.yml").faults
    assert "nested deeper than 16 levels" in fault.reason
    assert fault.line == 1


def test_of_two_with_one_name_the_first_holds(tmp_path):
    found = of(tmp_path, f"{GOOD}---{GOOD.replace('Calls', 'Other')}")
    assert found.by_name["calls"].titles.en == "Calls"
    assert "is there already" in found.faults[0].reason
    assert found.faults[0].line == 8


def test_an_administrators_replaces_ours_and_is_no_fault(tmp_path):
    (tmp_path / "own").mkdir()
    own = tmp_path / "own" / "otp.yml"
    own.write_text((CONTENT / "otp.yml").read_text(encoding="utf-8"), encoding="utf-8")
    found = load([tmp_path / "own", CONTENT])
    assert not found.faults
    assert found.by_name.keys() == load().by_name.keys()
    assert found.by_name["otp-delivery"].path == str(own)
    own.write_text(own.read_text(encoding="utf-8").replace("measure: ratio", "measure: rato"), encoding="utf-8")
    now = load([tmp_path / "own", CONTENT])
    assert now.by_name["otp-delivery"].path != str(own)
    assert instead(now, found).by_name["otp-delivery"] is found.by_name["otp-delivery"], "a slip of the pen is not ours"


def test_a_quantile_is_shown_in_its_unit(tmp_path):
    text = GOOD.replace("measure: count", "measure: quantile\nfield: event.duration\nquantile: 0.5\nscale: 1.0e-6")
    meter = meter_of(of(tmp_path, text).by_name["calls"])
    cell = meter.new()
    for ms in range(1, 22):
        meter.add(cell, {"event.duration": ms * 1_000_000})
    assert meter.value(cell) == (pytest.approx(11.0), 21.0)


@pytest.mark.parametrize("value", ["!!timestamp x", "!!bool x", "!!int ''", "!!set {a}", "!own x", "!!binary 'zz'"])
def test_a_text_with_a_tag_is_refused_with_its_line(value):
    (fault,) = loads(f"name: x\nunit: {value}\n", "mine.yml").faults
    assert (fault.path, fault.line) == ("mine.yml", 2)
    assert "tags" in fault.reason


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a-pipe.yml")  # nobody writes to it: opening it would wait for ever
    (tmp_path / "none.yml").symlink_to(tmp_path / "gone")
    found = of(tmp_path, GOOD)
    assert list(found.by_name) == ["calls"]
    assert [fault.reason for fault in found.faults] == [
        "is no regular file, and is not read",
        "cannot be read: No such file or directory",
    ]
