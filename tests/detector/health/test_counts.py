"""Room for names: bounded, shared fairly, and what has none of its own is counted all the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.health.counts import HOUR, MINUTE_MS, PERIOD_HOURS, Counts, Key
from detector.health.definition import load
from soc.model.event import Event
from soc.model.service_level import OTHER

START = 29_000_000  # minutes since 1970
SLOS = [slo for slo in load()[0] if slo.name == "otp-delivered"]


def receipts(org: str, carrier: str, n: int = 1, minute: int = START) -> list[Event]:
    fields = {"govsoc.otp.event": "dlr", "event.outcome": "success", "govsoc.otp.carrier": carrier}
    return [Event("", minute * MINUTE_MS, org, "otp.gateway", fields)] * n


def held(counts: Counts, org: str) -> set[str]:
    return {key.upstream for key in counts.keys if key and key.org == org}


def total(counts: Counts, org: str, *, rest: bool = False) -> int:
    events, *_ = counts.period(START)
    wanted = [n for n, key in enumerate(counts.keys) if key and key.org == org and (not rest or key.upstream == OTHER)]
    return int(events[wanted].sum())


def test_made_up_names_of_some_take_no_room_of_others() -> None:
    counts = Counts(SLOS, 1000, 500)
    for org in range(20):
        counts.observe([one for n in range(500) for one in receipts(f"bad{org}", f"c{n}")], START)
    counts.observe([*receipts("H99", "viettel", 30), *receipts("H99", "mobifone", 20)], START)
    assert held(counts, "H99") == {"viettel", "mobifone"}
    assert total(counts, "H99") == 50
    assert all(total(counts, f"bad{org}") == 500 for org in range(20)), "what is folded is still counted"
    assert sum(key is not None for key in counts.keys) <= 1000 + 21, "and one for the rest of each"


def test_there_are_no_more_rows_than_that_however_many_organisations_there_are() -> None:
    counts = Counts(SLOS, 200, 500)
    for org in range(60):
        counts.observe([one for n in range(50) for one in receipts(f"H{org}", f"c{n}")], START)
    assert sum(key is not None for key in counts.keys) <= 200 + 60, "and one for the rest of each"
    assert all(len(held(counts, f"H{org}") - {OTHER}) >= 2 for org in range(60))
    assert all(total(counts, f"H{org}") == 50 for org in range(60))


def test_what_has_no_row_takes_none_from_names() -> None:
    """Each organisation has a row of the rest of each objective, and there are more of these than rows of names."""
    slos = load()[0]
    counts = Counts(slos, 300, 500)
    for org in range(60):
        for slo in slos:
            for n in range(3):
                counts._place(Key(f"H{org}", slo.name, f"c{n}", ""))
    named = [key for key in counts.keys if key and key.upstream != OTHER]
    assert len(named) == 300
    assert {key.org for key in named} == {f"H{org}" for org in range(60)}


def test_the_quiet_are_folded_first() -> None:
    counts = Counts(SLOS, 60, 500)
    counts.observe([*receipts("A", "busy", 40), *[one for n in range(58) for one in receipts("A", f"c{n}")]], START)
    for org in "BCDEFG":
        counts.observe(receipts(org, "viettel", 5), START)
        assert "viettel" in held(counts, org)
    assert "busy" in held(counts, "A")
    assert total(counts, "A") == 98


def test_an_objective_without_room_makes_some_once_a_day() -> None:
    counts = Counts(SLOS, 1000, 20)
    counts.observe([one for n in range(19) for one in receipts("A", f"c{n}")], START)
    counts.observe([*receipts("A", "own", 50), *receipts("A", "portal", 9)], START)
    assert "portal" not in held(counts, "A")
    counts.forget(START)
    counts.observe(receipts("A", "portal", 9), START)
    assert {"own", "portal"} <= held(counts, "A")
    assert total(counts, "A") == 87


def test_what_has_no_row_is_forgotten_after_the_period_as_all_else() -> None:
    counts = Counts(SLOS, 1000, 2)
    for day in range(41):
        minute = START + day * 24 * HOUR
        counts.observe([one for n in range(5) for one in receipts("A", f"c{n}", minute=minute)], minute)
        counts.forget(minute)
    events, *_ = counts.period(START + 40 * 24 * HOUR)
    assert int(events.sum()) == 5 * PERIOD_HOURS // 24


NAMES = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 12), st.integers(1, 5)), max_size=40)


@settings(max_examples=50, deadline=None)
@given(st.lists(NAMES, max_size=6))
def test_no_event_is_lost_and_none_counted_for_another_organisation(batches: list[list[tuple[str, int, int]]]) -> None:
    counts = Counts(SLOS, 12, 6)
    for batch in batches:
        counts.observe([one for org, name, n in batch for one in receipts(org, f"c{name}", n)], START)
        counts.forget(START)
        kept = Counts(SLOS, 12, 6)
        kept.load({name: value for name, value in _all(counts).items() if value is not None})
        assert {key for key in kept.keys if key} == {key for key in counts.keys if key}
    for org in "ABC":
        assert total(counts, org) == sum(n for batch in batches for whose, _, n in batch if whose == org)


def _all(counts: Counts) -> dict[str, bytes | None]:
    counts._named = True
    for ring in (counts._minutes, counts._hours):
        ring._touched = {int(step) for step in ring._at if step >= 0}
    return dict(counts.changes())
