"""What the product refuses, and why a line is not parsed or a message not sent, is said in the language of the page."""

from __future__ import annotations

import re

import pytest
from spoken import templates

from api.console.language import LANGUAGES
from api.console.said import PLACEHOLDER, Said, load_said, said_messages
from collector.base import Record
from collector.keys import KEY_BYTES
from collector.parse.base import MAX_JSON_BYTES
from collector.parse.record import to_event
from collector.privacy import Masker
from soc.errors import NotFound
from soc.model.source import Source, SourceHealth, Transport
from soc.store.collected import SqliteHealth, open_collected

VI = {"accept-language": "vi"}
NOW = 1_772_452_800_000
TRANSLATED = [language for language in LANGUAGES if language != "en"]

# What is wrong with a definition of series, by Pydantic and by `detector.series.definition`.
_OF_DEFINITIONS = (
    "is there twice",
    "a definition is a mapping of fields to values",
    "is not valid YAML: %s",
    "nested deeper than %s levels",
    "has a value that cannot be read: %s",
    "%s is there already, in %s",
    "is no search expression: %s",
    "is no field of an event",
    "a %s needs `hit`: which events are counted over those of `where`",
    "a %s needs `field`: whose values",
    "a conversion needs `where`, other than `hit`: which events go into the step",
    "`join` is for a conversion: a %s has no second step",
    "`within` needs `join`: the field whose value both steps share",
    "`by_load` is for a mean in buckets of an hour (`bucket: 1h`)",
    "`page.change` of a %s is in points of 1: 0.12 and not 12",
    "`page.buckets` is %s at most where a bucket is %s: nothing adds up for longer",
    "Extra inputs are not permitted",
    "Input should be %s",
    "Input should be a valid %s",
    "Input should be greater than %s",
    "Input should be greater than or equal to %s",
    "Input should be less than %s",
    "Input should be less than or equal to %s",
    "String should match pattern %s",
    "names that begin with `system-` are ours: choose another",
    "is for the measures %s: a %s does not use it",
    "is %s, and has to be one of %s",
    "has to be a list: [a, b]",
    "has to be written %s",
    *("has to be a text", "has to be a whole number", "has to be a number", "has to be true or false"),
    *("has more than %s in its list", "needs %s or more in its list"),
    *("has more than %s letters", "has fewer letters than %s", "has to be spelled as %s"),
)
# What is said by other programs, or put together where no template can be read from the code.
FROM_ELSEWHERE = {
    *("true positive", "false positive", "benign", "pending", "sent"),
    *("alert", "incident", "organisation", "exception", "rule", "route", "silence"),
    *("exception %s", "rule %s", "%s: %s", "%s; %s", "%s (and %s more)"),
    *("no file matches %s", "nothing listens for sources of the kind %s", "%s ended by itself"),
    "%s of %s targets are not probed, the others are: %s",
    "%s NUL bytes skipped before this line",
    *("is no regular file, and is not read", "the parser made what cannot be stored of %s"),
    *("Permission denied", "No such file or directory", "Is a directory", "Not a directory"),
    *("Connection refused", "Connection reset by peer", "No route to host", "Network is unreachable"),
    *("Name or service not known", "Temporary failure in name resolution"),
    *("Not Found", "Method Not Allowed", "Field required", "Value error, %s"),
    *("String should have at most %s characters", "String should have at least %s character"),
    "the file as it was before goes on running: %s",
    "the rules that were running go on: %s",
    "stopped while running: %s",
    "it is blind: an event made to fire it found nothing",
    "it is not alive: exception %s hides it for all organisations",
    *("no event has had the field %s", "no event of such a log source has come"),
    "no event can be made up for it: %s",
    "it asks a list of indicators, and what is on it may change at any time",
    "it has no case, and no event can be made up from its condition",
    *("its case takes %s events, more than %s", "it takes %s events, more than %s"),
    "what is laid down for %s does not fit it: %s",
    "the condition that narrows it %s: %s",
    "another threshold or window can be tried for one rule that counts events: name it alone",
    *_OF_DEFINITIONS,
    "who sees no organisation has nothing to try it on",
    "a group outgrew its bound: %s events kept, %s forgotten",
    "something broke here; the service's log has the details under the request id",
    "verdict on alert %s: benign",
    "another site asked for this change: do it from the console itself",
}


def shape(template):
    """Whatever its placeholders are called."""
    return PLACEHOLDER.sub("%s", template)


def dead_letter(line, source_type):
    source = Source("s", "s", "o", source_type, Transport.PUSH)
    return to_event(Record(line, "1"), source, Masker(b"k" * KEY_BYTES), NOW).fields["error.message"]


OF_RECORDS = [
    (b"  ", "otp.gateway"),
    (b"x", "no.such.type"),
    (b'{"event": "request", "time": "1999-01-01T00:00:00Z"}', "otp.gateway"),
    (b'{"event": "request", "time": "2036-01-01T00:00:00Z"}', "otp.gateway"),
    (b'{"a": "' + b"x" * MAX_JSON_BYTES + b'"}', "otp.gateway"),
]


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_of_an_error_is_translated_and_none_is_left_over(language):
    said = {shape(text) for text in templates() if re.search(r"[a-z]{3}", shape(text))}
    known = {shape(text) for text in said_messages(language)}
    assert len(said) > 200
    assert said - known == set(), "not in said.po"
    assert known - said - FROM_ELSEWHERE - {dead_letter(*case) for case in OF_RECORDS} - {"parser failed: %s"} == set()


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_is_one_and_names_only_what_its_text_names(language):
    messages = said_messages(language)
    for text, words in messages.items():
        names = PLACEHOLDER.findall(text)
        assert words, f"{text} is not translated"
        assert len(set(names)) == len(names), text
        assert set(PLACEHOLDER.findall(words)) <= set(names), text
    same = {shape(text) for text, words in messages.items() if text == words}
    assert same == {"%s: %s", "%s; %s"}


@pytest.mark.parametrize("case", OF_RECORDS)
@pytest.mark.parametrize("language", TRANSLATED)
def test_every_reason_of_a_record_is_translated(language, case):
    reason = dead_letter(*case)
    assert load_said(language)(reason) != reason


SAID = Said(
    {
        "there is no %(kind)s %(id)s": "không có %(kind)s %(id)s",
        "there is no alert %(id)s": "không có cảnh báo %(id)s",
        "one of %(these)s": "chọn một",
        "it is %(our_state)s": "nó %(our_state)s",
        "sent": "đã gửi",
        "%(our_one)s; %(our_two)s": "%(our_one)s; %(our_two)s",
        "%(where)s: cannot %(our_what)s": "không thể %(our_what)s: %(where)s",
    }
)


@pytest.mark.parametrize(
    ("english", "vietnamese"),
    [
        ("sent", "đã gửi"),
        ("there is no alert 12", "không có cảnh báo 12"),
        ("there is no sent sent", "không có sent sent"),
        ("there is no route 12", "không có route 12"),
        ("one of a, b", "chọn một"),
        ("it is sent", "nó đã gửi"),
        ("it is sent; unknown; sent", "nó đã gửi; unknown; đã gửi"),
        ("a: cannot b: cannot c", "không thể không thể c: b: a"),
        ("sent: cannot sent", "không thể đã gửi: sent"),
        ("there is no alert %(id)s", "không có cảnh báo %(id)s"),
        ("a\nb: cannot c", "không thể c: a\nb"),
        ("something else", "something else"),
        ("", ""),
        ("it is", "it is"),
    ],
)
def test_what_is_put_in_is_carried_over(english, vietnamese):
    assert SAID(english) == vietnamese


def test_an_error_is_said_by_its_text():
    assert SAID(NotFound("there is no alert 7")) == "không có cảnh báo 7"


def test_no_text_is_too_long_or_too_deep():
    assert SAID("it is " * 5000) == "it is " * 5000
    assert SAID("it is " * 500).startswith("nó nó nó")
    assert SAID("; " * 1000).startswith("; ")


def test_a_probe_that_may_not_be_made_is_said_with_how_the_others_are():
    why = "tls://a.vn: 10.1.2.3 is not in collect.probe_networks, so it is not probed (and 1 more)"
    text = f"2 of 12 targets are not probed, the others are: {why}"
    assert load_said("vi")(text) == (
        "2 trên 12 mục tiêu không được thăm dò, các mục tiêu còn lại vẫn được thăm dò: "
        "tls://a.vn: 10.1.2.3 không nằm trong collect.probe_networks nên không được thăm dò (và 1 nữa)"
    )


def test_english_stays():
    assert load_said("en")("there is no alert 12") == "there is no alert 12"


def test_the_failure_page_is_in_the_language(client_of):
    client = client_of("viewer")
    vietnamese = client.get("/alerts/" + "0" * 24, headers=VI)
    assert vietnamese.status_code == 404
    assert "<p>không có cảnh báo 000000000000000000000000</p>" in vietnamese.text
    assert "<p>there is no alert" in client.get("/alerts/" + "0" * 24, headers={"accept-language": "en"}).text


def test_a_search_that_cannot_be_read_says_why_in_vietnamese(client_of):
    text = client_of("viewer").get("/events", params={"q": 'a:"<b>'}, headers=VI).text
    assert "dấu ngoặc kép này chưa được đóng" in text
    text = client_of("viewer").get("/events", params={"q": "a b~"}, headers=VI).text
    assert "không hỗ trợ tìm gần đúng và tìm lân cận (~)" in text


def test_a_program_is_told_in_english(client_of):
    answer = client_of("viewer").get("/api/v1/alerts/" + "0" * 24, headers=VI)
    assert answer.json()["detail"].startswith("there is no alert")


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
