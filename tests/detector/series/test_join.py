"""Conversions joined by an id: as a slow reference says, in whatever order the events of a moment come, and in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from restarts import finally_read, read_in_portions
from streams import MINUTE, START, stored

from detector.series import join
from detector.series.aggregate import Aggregator
from detector.series.board import Board, Room
from detector.series.definition import Definition
from detector.series.late import Counted

WITHIN = 30_000
MINUTES = 12


def definition(**more: object) -> Definition:
    base = {
        "name": "sent", "system": "xx", "titles": {"vi": "x", "en": "x"}, "dataset": "d", "measure": "conversion",
        "where": "step:ask", "hit": "step:answer AND ok:true", "join": "id", "within": "30s", "group_by": ["carrier"],
    }  # fmt: skip
    return Definition.model_validate(base | more)


Drawn = tuple[int, str, str, str, bool]  # ms, step, id, carrier, ok
drawn_events = st.lists(
    st.tuples(
        st.integers(0, MINUTES * MINUTE), st.sampled_from(("ask", "answer")), st.sampled_from([f"r{n}" for n in range(12)]),
        st.sampled_from(("a", "b")), st.booleans(),
    ),
    max_size=80,
)  # fmt: skip


def stream(drawn: list[Drawn]) -> list:
    """With an event a second of something else, so that the source is never silent and all buckets are closed."""
    beats = [(second * 1000, "beat", "", "", True) for second in range((MINUTES + 4) * 60)]
    return [
        stored(START + at, n, "d", step=step, id=id_ or None, carrier=carrier if step == "ask" else None, ok=ok)
        for n, (at, step, id_, carrier, ok) in sorted(enumerate([*drawn, *beats]), key=lambda one: one[1][0])
    ]


def first_of_each(drawn: list[Drawn]) -> list[Drawn]:
    """Each id is asked for once, as ids are."""
    asked, kept = set(), []
    for one in sorted(drawn):
        if one[1] == "ask" and one[2] in asked:
            continue
        if one[1] == "ask":
            asked.add(one[2])
        kept.append(one)
    return kept


def reference(drawn: list[Drawn]) -> dict[tuple[int, str], tuple[int, int]]:
    found: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    for at, step, id_, carrier, _ in drawn:
        if step == "ask":
            answers = [t for t, s, i, _, ok in drawn if s == "answer" and i == id_ and ok]
            cell = found[at // MINUTE, carrier]
            cell[0] += any(abs(t - at) <= WITHIN for t in answers)
            cell[1] += 1
    return {key: (hits, events) for key, (hits, events) in found.items()}


def closed(events: list, aggregator: Aggregator | None = None) -> dict[tuple[int, str], tuple[int, int]]:
    found = {}
    for one in (aggregator or Aggregator({"sent": definition()})).feed(events):
        for slot, (value, weight) in one.readings or []:
            if value is not None:
                key = one.board.keys[slot]
                assert key is not None
                found[(one.start - START) // MINUTE, key[0]] = (round(value * weight), round(weight))
    return found


def without_the_first(found: dict[tuple[int, str], tuple[int, int]]) -> dict[tuple[int, str], tuple[int, int]]:
    """The bucket in which a source began is not whole."""
    return {key: value for key, value in found.items() if key[0]}


@settings(max_examples=60, deadline=None)
@given(drawn_events, st.randoms(use_true_random=False))
def test_as_a_slow_reference_says_in_any_order_of_a_moment(drawn, rng: Random):
    drawn = first_of_each(drawn)
    expected = without_the_first(reference(drawn))
    events = stream(drawn)
    assert without_the_first(closed(events)) == expected
    events.sort(key=lambda one: one.ts + rng.randrange(10_000))
    assert without_the_first(closed(events)) == expected


@settings(max_examples=30, deadline=None)
@given(drawn_events, st.integers(0, 1000))
def test_a_restart_changes_nothing(drawn, cut):
    events = stream(first_of_each(drawn))
    whole = closed(events)
    before = Aggregator({"sent": definition()})
    found = closed(events[:cut], before)
    after = Aggregator({"sent": definition()})
    after.load({key: msgspec.msgpack.decode(msgspec.msgpack.encode(one)) for key, one in before.dump().items()})
    assert found | closed(events[cut:], after) == whole


def check_that_late_or_in_time_is_the_same_in_the_end(drawn: list[Drawn], rng: Random) -> None:
    """Requests without their answers, answers without their requests, and both; killed four times in between."""
    first = [(100 + n, "ask", f"first {carrier}", carrier, True) for n, carrier in enumerate("ab")]
    drawn = first_of_each([*first, *((at + MINUTE, *more) for at, *more in drawn)])
    events = stream(drawn)
    beats = [stored(START + n * 1000, 90_000 + n, "d", source="s1", step="beat") for n in range((MINUTES + 20) * 60)]
    late = {one.id for one in events if one.ts > START + MINUTE and rng.random() < 0.5}
    behind = {one.id: one.ts + (rng.randrange(15 * MINUTE) if one.id in late else 0) for one in [*events, *beats]}
    arrived = sorted([*events, *beats], key=lambda one: behind[one.id])
    cuts = [rng.randrange(len(arrived)) for _ in range(4)]
    closed, after, _ = read_in_portions({"sent": definition()}, arrived, cuts)
    found = by_minute(closed)
    assert without_the_first(found) == without_the_first(reference(drawn))
    (board,) = after.boards()
    assert board.lost == len(first), "of the bucket in which the source began"


@settings(max_examples=40, deadline=None)
@given(drawn_events, st.integers())
def test_late_or_in_time_is_the_same_in_the_end(drawn, seed):
    check_that_late_or_in_time_is_the_same_in_the_end(drawn, Random(seed))


@pytest.mark.parametrize("seed", range(4))
def test_late_or_in_time_is_the_same_in_the_end_of_a_busy_service(seed):
    rng, drawn = Random(seed), []
    for n in range(400):
        at, takes = rng.randrange((MINUTES - 1) * MINUTE), rng.randrange(-5_000, 2 * WITHIN)
        drawn += [
            (at, "ask", f"r{n}", rng.choice("ab"), True),
            (max(at + takes, 0), "answer", f"r{n}", "", rng.random() < 0.9),
        ]
    check_that_late_or_in_time_is_the_same_in_the_end(drawn, rng)


def by_minute(closed: list) -> dict[tuple[int, str], tuple[int, int]]:
    """Minute and carrier -> how many were answered, and all, in the end."""
    carriers = {slot: key for one in closed for key, slot in one.board.slots.items()}
    return {
        ((start - START) // MINUTE, carriers[slot][0]): (round(value * weight), round(weight))
        for (_, start, slot), (value, weight) in finally_read(closed).items()
        if value is not None
    }


def after_a_minute(events: list, *more: dict) -> list:
    """Ten requests at minute 1, then what comes late for minute 2, then beats."""
    late = [stored(START + 2 * MINUTE + n, 10_000 + n, "d", **one) for n, one in enumerate(more)]
    return [*events, *late, *(stored(events[-1].ts + n * 1000, 30_000 + n, "d", step="beat") for n in range(300))]


TEN = [(MINUTE + n * 100, "ask", f"r{n}", "a", True) for n in range(10)]


def test_what_comes_late_is_bounded_and_what_had_no_room_is_said(monkeypatch):
    for module in ("join", "late.pending", "late.rejoin"):
        monkeypatch.setattr(f"detector.series.{module}.MOST_OPEN", 50)
    asks = [{"step": "ask", "id": f"late {n}", "carrier": "a"} for n in range(80)]
    answers = [{"step": "answer", "ok": True, "id": f"nothing {n}"} for n in range(80)]
    closed, aggregator, committed = read_in_portions(
        {"sent": definition()}, after_a_minute(stream(TEN), *asks, *answers)
    )
    (board,) = aggregator.boards()
    assert by_minute(closed)[2, "a"] == (0, 50)
    assert board.lost == 30 + 30
    kept = Counted(lambda place, start: committed.get((place, start))).get(board.place, START + 2 * MINUTE)
    assert [len(counted) for _, counted in kept.values()] == [50, 50]


def test_what_is_asked_once_more_and_late_is_counted_once():
    asks = [{"step": "ask", "id": f"r{n}", "carrier": "a"} for n in range(10)] * 2
    answered = [(at + 500, "answer", id_, "", ok) for at, _, id_, _, ok in TEN[:6]]
    drawn = [(at + MINUTE - 5_000, *more) for at, *more in [*TEN, *answered]]
    closed, aggregator, _ = read_in_portions({"sent": definition()}, after_a_minute(stream(drawn), *asks))
    (board,) = aggregator.boards()
    assert by_minute(closed)[1, "a"] == (6, 10)
    assert (2, "a") not in by_minute(closed)
    assert board.lost == 0


def test_no_more_series_are_judged_again_for_late_answers_than_there_is_time_for(monkeypatch):
    monkeypatch.setattr("detector.series.late.rejoin.MOST_CORRECTED", 3)
    drawn = [(2 * MINUTE + n * 100, "ask", f"r{n}", f"carrier {n}", True) for n in range(10)]
    answers = [{"step": "answer", "ok": True, "id": f"r{n}"} for n in range(10)]
    closed, aggregator, _ = read_in_portions({"sent": definition()}, after_a_minute(stream(drawn), *answers))
    (board,) = aggregator.boards()
    assert sum(hits for hits, _ in by_minute(closed).values()) == 3
    assert board.lost == 7


@pytest.mark.parametrize("every", [50, 100_000])
def test_answers_that_are_later_than_an_hour_change_nothing_however_often_is_committed(every):
    drawn = [(2 * MINUTE + n * 100, "ask", f"r{n}", "a", True) for n in range(10)]
    beats = [stored(START + n * 1000, 30_000 + n, "d", step="beat") for n in range(MINUTES * 60, 80 * 60)]
    late = [
        stored(START + 2 * MINUTE + n * 100, 10_000 + n, "d", step="answer", ok=True, id=f"r{n}") for n in range(10)
    ]
    events = [*stream(drawn), *beats[:-600], *late, *beats[-600:]]
    closed, _, _ = read_in_portions({"sent": definition()}, events, range(every, len(events), every))
    assert by_minute(closed)[2, "a"] == (0, 10)


def test_an_answer_in_an_unknown_bucket_is_found_by_a_late_request():
    """The source falls silent half a minute after it was asked; the request comes when it speaks again."""
    drawn = [(10 * MINUTE + 50_000, "answer", "r", "", True), (MINUTE, "ask", "first", "a", True)]
    spoken = [one for one in stream(drawn) if not 10 * MINUTE + 55_000 < one.ts - START < 13 * MINUTE]
    late = stored(START + 10 * MINUTE - 5_000 + 30_000, 10_000, "d", step="ask", id="r", carrier="a")
    at = next(n for n, one in enumerate(spoken) if one.ts > START + 14 * MINUTE)
    in_time = sorted([*spoken, late], key=lambda one: one.ts)
    expected = by_minute(read_in_portions({"sent": definition()}, in_time)[0])
    assert by_minute(read_in_portions({"sent": definition()}, [*spoken[:at], late, *spoken[at:]])[0]) == expected


def test_memory_is_bounded_and_what_had_no_room_is_said(monkeypatch):
    monkeypatch.setattr(join, "MOST_OPEN", 50)
    drawn = [(MINUTE + n * 100, "ask", f"r{n}", "a", True) for n in range(200)]
    aggregator = Aggregator({"sent": definition()})
    found = closed(stream(drawn), aggregator)
    (board,) = aggregator.boards()
    assert found[1, "a"] == (0, 50)
    assert board.lost == 150
    assert board.empty


def test_answers_to_nothing_are_forgotten():
    drawn = [(n * 1000, "answer", f"r{n}", "", True) for n in range(600)]
    aggregator = Aggregator({"sent": definition()})
    closed(stream(drawn), aggregator)
    (board,) = aggregator.boards()
    assert board.empty
    assert not board.slots


def test_what_comes_after_its_bucket_is_said_and_what_has_no_id_is_no_part_of_it():
    events = stream([(MINUTE, "ask", "", "a", True)])
    events.append(stored(START + 2 * MINUTE, 9_999, "d", step="ask", id="late", carrier="a"))
    aggregator = Aggregator({"sent": definition()})
    assert not closed(events, aggregator)
    (board,) = aggregator.boards()
    assert board.lost == 1
    assert board.born == [board.closed_to], "its series begins with the open bucket"


def test_what_a_series_means_changes_with_how_it_is_joined():
    plain = definition().model_copy(update={"join": None})
    assert len({plain.hash, definition().hash, definition(within="1m").hash, definition(join="other").hash}) == 4
    assert definition(within=None).hash == definition(within="1m").hash


@pytest.mark.parametrize("more", [{}, {"join": None, "within": None}])
def test_a_definition_is_read_again_as_it_was_published(more):
    one = definition(**more)
    assert Definition.model_validate(one.model_dump(mode="json")) == one


@pytest.mark.parametrize("seed", range(3))
def test_a_bucket_waits_as_long_as_answers_may_take(seed):
    """The last moment of a bucket is asked for as fairly as its first."""
    rng, drawn = Random(seed), []
    for n in range(300):
        at = MINUTE + rng.randrange(5 * MINUTE)
        drawn += [(at, "ask", f"r{n}", "a", True), (at + rng.randrange(WITHIN), "answer", f"r{n}", "", True)]
    found = closed(stream(drawn))
    assert all(hits == events for hits, events in found.values())
    assert sum(events for _, events in found.values()) == 300


def ask(board: Board, ts: int, id_: str) -> None:
    board.add(START + ts, {"step": "ask", "id": id_, "carrier": "a"})


def opened() -> Board:
    board = Board(definition(), "o", Room(10), 3_600_000)
    board.skip_to(START)
    return board


def test_a_series_whose_first_event_is_of_a_later_bucket_has_the_earlier_one_as_well():
    board = opened()
    ask(board, MINUTE + 1_000, "r1")
    ask(board, MINUTE - 1_000, "r2")
    for _ in range(2):
        ((slot, (_, weight)),) = board.close(known=True).readings or ()
        assert (slot, weight) == (0, 1)
    assert board.lost == 0


def test_what_was_asked_in_a_bucket_that_says_nothing_is_counted_as_lost():
    board = opened()
    ask(board, 1_000, "r1")
    board.close(known=False)
    assert board.lost == 1
    ask(board, MINUTE + 1_000, "r2")
    board.skip_to(START + 3 * MINUTE)
    assert board.lost == 2
