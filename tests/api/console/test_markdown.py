from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.markdown import markdown


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo\n\nthree", "<p>one two</p>\n\n<p>three</p>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("1. a\n\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("- a\n  more\n* b", "<ul><li>a more</li><li>b</li></ul>"),
        ("intro\n- a", "<p>intro</p>\n<ul><li>a</li></ul>"),
        ("**now** run `ls *`", "<p><strong>now</strong> run <code>ls *</code></p>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ('`"><img src=x onerror=y>`', "<p><code>&#34;&gt;&lt;img src=x onerror=y&gt;</code></p>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("", ""),
    ],
)
def test_markdown(text, html):
    assert markdown(text) == html


@given(st.text(alphabet="<>&\"'`*-1. \nab", max_size=80))
def test_only_our_own_tags_come_out(text):
    tags = set(re.findall(r"<[^>]*>?", str(markdown(text))))
    assert tags <= {f"<{slash}{tag}>" for tag in ("p", "ul", "ol", "li", "code", "strong") for slash in ("", "/")}
