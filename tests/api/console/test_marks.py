from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from api.console.marks import mark


@pytest.mark.parametrize(
    ("line", "matched", "html"),
    [
        ("GET /a?x=1", {"url.path": "/a"}, "GET <mark>/a</mark>?x=1"),
        ("10.0.0.1 10.0.0.11", {"source.ip": "10.0.0.1"}, "<mark>10.0.0.1</mark> 10.0.0.11"),
        ("200 2000", {"http.response.status_code": 200}, "<mark>200</mark> 2000"),
        ("<b> & x", {"f": "<b>"}, "<mark>&lt;b&gt;</mark> &amp; x"),
        ("a union select b", {"f": "union select", "g": "union"}, "a <mark>union select</mark> b"),
        ("one two", {"f": ["one", "two"]}, "<mark>one</mark> <mark>two</mark>"),
        ("nothing", {"f": "something", "g": None, "h": True, "i": "n", "j": ""}, "nothing"),
        ("plain", {}, "plain"),
    ],
)
def test_mark(line, matched, html):
    assert mark(line, matched) == html


@given(st.text(alphabet="<>&ab ", max_size=30), st.lists(st.text(alphabet="<>&ab ", max_size=4), max_size=3))
def test_without_the_marks_the_line_is_unchanged(line, values):
    marked = str(mark(line, {"f": list(values)}))
    assert marked.replace("<mark>", "").replace("</mark>", "") == str(escape(line))


def test_marking_is_bounded():
    assert str(mark("ab " * 10_000, {"f": "ab"})).count("<mark>") == 50
