"""What comes from logs may hold anything: in a message it is one harmless line, and escaped in HTML."""

from __future__ import annotations

from email import message_from_bytes, policy
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from soc.model.alert import Alert
from soc.model.rule import RuleDoc
from soc.notify.email import mail
from soc.notify.message import Writer
from soc.notify.route import Channel, Route
from soc.notify.text import line, subject
from soc.notify.words import WORDS

NOW = 1_772_452_800_000
WRITER = Writer("https://soc.example.vn", ZoneInfo("Asia/Ho_Chi_Minh"))
HOSTILE = [
    "<script>alert(1)</script>",
    "x\r\nBcc: everybody@example.vn\r\n\r\nbody",
    "x\nSubject: other",
    "=?utf-8?q?=0D=0ABcc:_everybody=40example.vn?=",
    "=?utf-8?b?PHNjcmlwdD4=?=",
    "abc\u202egpj.exe\u2066\u200f",
    "\u2028\u2029\x85\x0b\x0c\x00\x1b[31m",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% include '/etc/passwd' %}",
    "\ud800 alone",
    "Đặng Thị Hương 😀",
    "x" * 100_000,
]


def alert(**changed):
    values = {
        "id": "ab" * 12, "rule_id": "r", "rule_hash": "h", "title": "Title", "level": "high", "org": "H42", "count": 3,
        "entity_field": "user_agent.original", "entity": "curl", "first_seen": NOW, "last_seen": NOW, "raised_at": NOW,
    }  # fmt: skip
    return Alert(**values | changed)


def route(**changed):
    return Route("r1", "On duty", Channel.EMAIL, ("soc@example.vn",), **changed)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.text = set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href"]
        assert not any(name.startswith("on") or name == "src" for name, _ in attrs)

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("field", ["entity", "title", "org", "entity_field", "level"])
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_only_text(text, field):
    rule = RuleDoc("r", "h", text, "high", "", runbook={"en": f"1. {text}"})
    message = WRITER.alerts("ab" * 12, route(language="en", digest_minutes=1), [(alert(**{field: text}), rule)])
    letter = mail(message, "soc@example.vn", ("lan@example.vn",), NOW)
    raw = letter.as_bytes()
    head, _, _ = raw.partition(b"\r\n\r\n")
    names = [part.split(b":")[0].lower() for part in head.split(b"\r\n") if part[:1] not in (b" ", b"\t")]
    assert sorted(names) == sorted(
        [
            b"subject",
            b"from",
            b"to",
            b"date",
            b"message-id",
            b"auto-submitted",
            b"x-govsoc-delivery",
            b"mime-version",
            b"content-type",
        ]
    )
    read = message_from_bytes(raw, policy=policy.default)["Subject"]
    assert "".join(read.split()) == "".join(message.subject.split())  # the library may add a space where it folds
    page = Page(letter.get_body(("html",)).get_content())
    assert page.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "body",
        "h2",
        "p",
        "br",
        "strong",
        "bdi",
        "ul",
        "li",
        "a",
        "hr",
        "small",
    }
    assert page.links == ["https://soc.example.vn/alerts/" + "ab" * 12]
    plain = letter.get_body(("plain",)).get_content()
    for kind in (plain, page.text, message.subject, *map(str, message.data["alerts"][0].values())):
        assert not set(kind) & set("\x00\x1b\x0b\x0c\x85\u2028\u2029\u202e\u2066\u200f\ud800")
    assert len(message.subject) <= 150
    assert len(raw) < 20_000


def test_a_subject_is_not_decoded_into_something_else():
    message = WRITER.alerts("id", route(language="en"), [(alert(entity="=?utf-8?b?PHNjcmlwdD4=?="), None)])
    letter = mail(message, "soc@example.vn", ("lan@example.vn",), NOW)
    assert "<script>" not in letter["Subject"]
    assert "= ?utf-8?b?PHNjcmlwdD4= ?=" in letter["Subject"] or "= ?utf-8?b?PHNjcmlwdD4=?" in letter["Subject"]


def test_lines():
    assert line("a\r\nb") == "a\\u000d\\u000ab"
    assert line("Đặng 😀") == "Đặng 😀"
    assert line("x" * 300) == "x" * 199 + "…"
    assert subject("=?x") == "= ?x"


def test_both_languages_say_the_same():
    assert WORDS["vi"].keys() == WORDS["en"].keys()
    assert all(WORDS["vi"][name] != WORDS["en"][name] for name in WORDS["en"])


@pytest.mark.parametrize(
    ("language", "said"),
    [("vi", ("cao: Dò mật khẩu", "Cơ quan: H42", "19:00:00 02/03/2026", "Khóa tài khoản.")),
     ("en", ("high: Title", "Organisation: H42", "2026-03-02 19:00:00", "Lock the account."))],
)  # fmt: skip
def test_a_message_in_the_language_of_its_route(language, said):
    rule = RuleDoc(
        "r",
        "h",
        "Title",
        "high",
        "",
        titles={"vi": "Dò mật khẩu"},
        runbook={"vi": "Khóa **tài khoản**.", "en": "Lock the `account`."},
    )
    message = WRITER.alerts("id", route(language=language), [(alert(), rule)])
    for words in said:
        assert words in message.subject + message.text
    assert f'<html lang="{language}">' in message.html


def test_a_test_says_that_it_is_one():
    message = WRITER.test("id", route(language="en"))
    assert message.subject == "[govsoc] Test of govsoc's notifications"
    assert "This is a test." in message.text
    assert (message.data["test"], message.data["alerts"]) == (True, [])
