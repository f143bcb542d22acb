"""One procedure of two thousand that fails is told from the others, and those that are seldom asked for call nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest

from detector.series.aggregate import Aggregator
from detector.series.board import Board
from detector.series.definition import CONTENT, load
from detector.series.key import condition
from detector.track import Track
from soc.model.event import Event, Stored, event_id
from soc.query.evaluate import matches
from soc.query.parse import parse
from soc.simulator import Planned, Rates, World, portal
from soc.simulator.line import DAY_MS, HOUR_MS, MINUTE_MS, ZONE

ERRORS = "portal-procedure-errors"
MIDNIGHT = int(datetime(2026, 3, 2, tzinfo=ZONE).timestamp() * 1000)  # a Monday
CODES = [f"1.{number:06d}" for number in range(4001, 6001)]


def request(at: int, n: int, code: str | None, status: int = 200, **more: object) -> Stored:
    about = {"govsoc.procedure.code": code} if code else {}
    fields = {"http.response.status_code": status, "event.duration": 200_000_000, **about, **more}
    return Stored.of(Event(event_id(at, "s1", str(n), ""), at, "hungyen", "nginx.access", fields))


class Seen:
    """What the definition that comes with govsoc makes of these events."""

    def __init__(self, events: Iterable[Stored]) -> None:
        definition = load([CONTENT]).by_name[ERRORS]
        self.called: dict[str, list[int]] = defaultdict(list)  # procedure -> starts of the buckets that call about it
        self.aggregator = Aggregator({ERRORS: definition})
        tracks: dict[int, Track] = {}
        for closed in self.aggregator.feed(events):
            board = closed.board
            for slot, (value, weight) in closed.readings or ():
                track = tracks.get(slot) or tracks.setdefault(
                    slot, Track(definition, board.meter, ZoneInfo("Asia/Ho_Chi_Minh"))
                )
                _, call = track.step(definition, closed.start, value, weight, 0.0)
                if call is not None:
                    self.called["".join(board.keys[slot] or ("",))].append(closed.start)

    @property
    def board(self) -> Board:
        return next(iter(self.aggregator.boards()))


def day_of(
    total: int, days: float, seed: int, failing: str = "", share: float = 0.0, codes: list[str] = CODES
) -> Iterator[Stored]:
    """So many requests in a day, the n-th procedure asked for 1/n times as often as the first; 0.2 % fail, and every second citizen to
    whom that happens tries up to ten times more within eight minutes. `failing`: in the last two hours this one fails."""
    rng, made = Random(seed), []
    weights = [1 / (place + 1) for place in range(len(codes))]
    end = MIDNIGHT + int(days * DAY_MS)
    for code in rng.choices(codes, weights, k=int(total * days)):
        at = MIDNIGHT + rng.randrange(int(days * DAY_MS))
        broken = code == failing and at > end - 2 * HOUR_MS
        status = 502 if rng.random() < (share if broken else 0.002) else 200
        made.append((at, code, status))
        if status == 502 and rng.random() < 0.5:
            made += [(at + rng.randrange(8 * MINUTE_MS), code, 502) for _ in range(rng.randrange(1, 11))]
    return (request(at, n, code, status) for n, (at, code, status) in enumerate(sorted(made)))


def test_the_one_that_fails_is_called_about_and_no_other() -> None:
    failing = CODES[3]
    seen = Seen(day_of(6000, 1.5, 1, failing, 0.9, CODES[:20]))
    assert set(seen.called) == {failing}
    assert MIDNIGHT + 1.5 * DAY_MS - 2 * HOUR_MS < seen.called[failing][0] < MIDNIGHT + 1.5 * DAY_MS - HOUR_MS


@pytest.mark.long
def test_two_thousand_that_are_seldom_asked_for_call_nobody() -> None:
    seen = Seen(day_of(20_000, 3, 2))
    assert not seen.called
    assert len(seen.board.slots) == seen.board.definition.max_series + 1, "the rest are one series"


def test_what_is_about_no_procedure_and_what_is_made_up_makes_no_series() -> None:
    events = [request(MIDNIGHT + n * 1000, n, None, 500 if n % 2 else 200) for n in range(300)]
    events += [request(MIDNIGHT + (300 + n) * 1000, 300 + n, f"1.{n:06d}", 404) for n in range(300)]
    events += [request(MIDNIGHT + (600 + n) * 1000, 600 + n, CODES[0]) for n in range(1000)]
    seen = Seen(events)
    assert set(seen.board.slots) == {(CODES[0],)}


def test_a_code_is_searched_for_as_it_stands() -> None:
    search = parse(condition("govsoc.procedure.code", "1.004194"))
    assert matches(search, {"govsoc.procedure.code": "1.004194"})
    assert not matches(search, {"govsoc.procedure.code": "1.004195"})


def test_a_fault_of_the_simulated_portal_is_found() -> None:
    code, at = portal.CODES[0], MIDNIGHT + DAY_MS + 9 * HOUR_MS
    plan = [Planned(at, "procedure_errors", {"procedure": code})]
    world = World(1, MIDNIGHT, Rates(150, 0, 0, 0, 0, 0, 0, 0), plan)
    seen = Seen(Stored.of(event) for event in world.events(at + 3 * HOUR_MS) if event.dataset == "nginx.access")
    [incident] = world.incidents
    assert incident.who == {"govsoc.procedure.code": code}
    assert set(seen.called) == {code}
    assert incident.start < seen.called[code][0] < incident.start + HOUR_MS
