"""Events as they are written."""

from __future__ import annotations

import orjson
import pytest

from soc.model.event import PIPELINE_ERROR, Event, Stored, event_id

TS = 1_772_420_400_000


def event(**more: object) -> Event:
    identity = event_id(TS, "s", "1", "<phone>")
    fields = {"event.id": identity, "event.kind": "event", "event.original": "x", "govsoc.source.id": "s"}
    return Event(identity, TS, "H42", "otp.gateway", fields | more)  # type: ignore[arg-type]


def test_what_is_stored_is_the_document():
    stored = Stored.of(event(**{"source.ip": "203.0.113.7"}))
    assert (stored.ts, stored.source, stored.source_ip, stored.dead) == (TS, "s", "203.0.113.7", False)
    assert stored.event == event(**{"source.ip": "203.0.113.7"})


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1, "half \ud83d", [1, 1 << 70], object()])
def test_what_has_no_json_is_a_dead_letter_that_says_which_field(value: object):
    whole = event(**{"event.duration": value, "govsoc.otp.carrier": "viettel"})
    stored = Stored.of(whole)
    assert stored.dead
    assert stored.id == event_id(0, "s", "1", "<phone>"), "the same that a line that cannot be parsed has there"
    assert (stored.ts, stored.org, stored.dataset, stored.source) == (0, "H42", "otp.gateway", "s")
    assert orjson.loads(stored.doc) == {
        "event.id": stored.id,
        "event.kind": PIPELINE_ERROR,
        "error.message": "the parser made what cannot be stored of 'event.duration'",
        "event.original": "x",
        "govsoc.source.id": "s",
        "govsoc.otp.carrier": "viettel",
    }
    assert whole.fields["event.kind"] == "event", "who made it still has it"


def test_what_was_to_be_said_of_the_line_is_said_all_the_same():
    stored = Stored.of(event(**{"event.duration": 1 << 64, "error.message": "cut at 5 of 9 bytes"}))
    assert str(stored.event.fields["error.message"]).endswith("'event.duration'; cut at 5 of 9 bytes")
