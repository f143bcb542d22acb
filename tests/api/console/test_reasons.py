"""What a parser says of a line that it cannot read is said in the language of the page."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil

import pytest

import collector.parse
from api.console.language import LANGUAGES, load_catalog
from collector.base import Record
from collector.keys import KEY_BYTES
from collector.parse.base import MAX_JSON_BYTES
from collector.parse.record import to_event
from collector.privacy import Masker
from soc.model.source import Source, SourceHealth, Transport
from soc.service import collector as service
from soc.store.collected import SqliteHealth, open_collected

VI = {"accept-language": "vi"}
NOW = 1_772_452_800_000
MODULES = [
    service,
    *(
        importlib.import_module(f"collector.parse.{found.name}")
        for found in pkgutil.iter_modules(collector.parse.__path__)
    ),
]


def raised():
    """Every text that a parser may raise, from its code."""
    for module in MODULES:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ParseError":
                yield eval(compile(ast.Expression(node.args[0]), module.__file__, "eval"), vars(module))


def said(line, source_type, transport=Transport.PUSH):
    source = Source("s", "s", "o", source_type, transport)
    return to_event(Record(line, "1"), source, Masker(b"k" * KEY_BYTES), NOW).fields["error.message"]


OF_RECORDS = [
    (b"  ", "otp.gateway"),
    (b"x", "no.such.type"),
    (b'{"event": "request", "time": "1999-01-01T00:00:00Z"}', "otp.gateway"),
    (b'{"event": "request", "time": "2036-01-01T00:00:00Z"}', "otp.gateway"),
    (b'{"a": "' + b"x" * MAX_JSON_BYTES + b'"}', "otp.gateway"),
]


def test_every_reason_of_a_parser_is_translated():
    reasons = {*raised(), *(said(*case) for case in OF_RECORDS)}
    assert len(reasons) > 20
    for language in LANGUAGES:
        known = load_catalog(language)._catalog
        assert {reason for reason in reasons if reason not in known} == set()


def test_a_line_that_is_not_parsed_says_why_in_vietnamese(client_of):
    lines = b'203.0.113.7 - - [02/Mar/2026:18:59:58 +0700] "GET / HTTP/1.1" 200 5 "-" "x"\nno <b>line</b>\n'
    answer = client_of("analyst").post("/sources/new/preview", headers=VI, files={"file": lines})
    assert '<p class="notice bad">trong dòng không có yêu cầu đặt trong ngoặc kép</p>' in answer.text


@pytest.mark.parametrize(
    ("health", "vietnamese", "english"),
    [
        ({"dead_rate": 1.0, "dead_reason": "the line is not JSON"}, "dòng không phải JSON", "the line is not JSON"),
        ({"dead_rate": 1.0, "dead_reason": "the line is not JSON; 3 <i> NUL"}, "JSON; 3 &lt;i&gt; NUL", "the line is"),
        (
            {"dead_rate": 1.0, "dead_reason": "parser failed: KeyError"},
            "lỗi, do phần mềm của chúng tôi: KeyError",
            "failed",
        ),
        (
            {"problem": "/var/log/<x>: Permission denied (and 1 more)"},
            "/var/log/&lt;x&gt;: Không có quyền đọc",
            "denied",
        ),
        ({"problem": "no file matches /var/log/a*"}, "không có tệp nào khớp /var/log/a*", "no file"),
        ({"problem": "something else <b>"}, "something else &lt;b&gt;", "<b>"),
    ],
)
def test_the_page_of_a_source_says_what_is_wrong_in_vietnamese(
    client_of, world, tmp_path, pushed, health, vietnamese, english
):
    state = SourceHealth(pushed, world.now, world.now, 1, 1, 1.0, **health)
    SqliteHealth(open_collected(tmp_path / "data")).report([state])
    text = client_of("viewer").get(f"/sources/{pushed}", headers=VI).text
    assert vietnamese in text
    assert english not in text
