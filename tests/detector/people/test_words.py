"""What of an entity is harmless, in words of both languages."""

from __future__ import annotations

import pytest

from detector.entities.item import Kind
from detector.people.words import limit_worded
from soc.model.harmless import Limit

SUBJECT, OUTCOME, IP = "govsoc.lgsp.subject", "event.outcome", "source.ip"


@pytest.mark.parametrize(
    ("kind", "field", "value", "most", "vi", "en"),
    [
        ("events", "", "", 1234.0, "tối đa 1.234 sự kiện", "up to 1,234 events"),
        (
            "count", OUTCOME, "failure", 78.9,
            "tối đa 78 sự kiện có event.outcome = failure", "up to 78 events with event.outcome = failure",
        ),
        (
            "share", OUTCOME, "failure", 0.4499,
            "tỷ lệ event.outcome = failure tối đa 44 %", "share of event.outcome = failure up to 44 %",
        ),
        (
            "share", OUTCOME, "failure", 0.0359,
            "tỷ lệ event.outcome = failure tối đa 3,5 %", "share of event.outcome = failure up to 3.5 %",
        ),
        (
            "share", OUTCOME, "failure", 0.29,
            "tỷ lệ event.outcome = failure tối đa 29 %", "share of event.outcome = failure up to 29 %",
        ),
        ("distinct", SUBJECT, "", 78.0, "tối đa 78 công dân khác nhau", "up to 78 different citizens"),
        ("distinct", "a.field", "", 2.0, "tối đa 2 a.field khác nhau", "up to 2 different a.field"),
        ("fresh", SUBJECT, "", 9.0, "tối đa 9 công dân chưa từng có trước đây", "up to 9 citizens never seen of it before"),
        (
            "sequential", "govsoc.subject.walk", "", 5.0,
            "tối đa 5 lần số định danh nối tiếp có số nối tiếp số khác",
            "up to 5 times citizen ids in a row whose number follows another one's",
        ),
        ("events-day", "", "", 500.0, "tối đa 500 sự kiện trong một ngày", "up to 500 events in a day"),
        (
            "distinct-day", SUBJECT, "", 300.0,
            "tối đa 300 công dân khác nhau trong một ngày", "up to 300 different citizens in a day",
        ),
        ("rare", IP, "203.0.113.7", 0.0, "source.ip = 203.0.113.7", "source.ip = 203.0.113.7"),
        ("hour", "", "03:00", 0.0, "hoạt động lúc khoảng 03:00", "active around 03:00"),
        ("travel", "client.geo", "A, B", 0.0, "từ A, B trong vòng một giờ", "from A, B within an hour"),
        ("rare", "x", "v" * 99, 0.0, f"x = {'v' * 80}...", f"x = {'v' * 80}..."),
    ],
)  # fmt: skip
def test_what_may_be_without_an_alert(kind, field, value, most, vi, en):
    limit = Limit(kind, field, value, 9.3, most)
    assert (limit_worded(limit, "vi"), limit_worded(limit, "en")) == (vi, en)


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_words(kind, language):
    text = limit_worded(Limit(str(kind), SUBJECT, "cccd_1", 8.0, 1.0), language)
    assert text
    assert "{" not in text


@pytest.mark.parametrize("limit", [Limit("of-tomorrow", "a", "b", 8.0, 3.0), Limit("distinct", "a", "", 8.0, 0.0)])
def test_of_what_is_not_known_it_says_its_name(limit):
    assert limit_worded(limit, "vi") == limit_worded(limit, "en") == str(limit)
