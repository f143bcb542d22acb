"""Service levels: what burns alarms, what is unknown does not, and what is kept goes on where it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.health.alarm import Alarm
from detector.health.burn import Severity
from detector.health.counts import MINUTE_MS
from detector.health.definition import Slo, load
from detector.health.levels import Levels
from detector.health.tell import finding_of
from soc.model.event import Event, iso
from soc.model.service_level import OTHER, Blame

START = 29_000_000  # minutes since 1970
SLOS = load()[0]


def receipt(minute: int, good: bool, carrier: str = "viettel", org: str = "H42") -> Event:
    fields = {
        "govsoc.otp.event": "dlr",
        "event.outcome": "success" if good else "failure",
        "govsoc.otp.carrier": carrier,
    }
    return Event("", minute * MINUTE_MS, org, "otp.gateway", fields)


def call(minute: int, good: bool, consumer: str, provider: str) -> Event:
    fields = {
        "http.response.status_code": 200 if good else 504,
        "govsoc.lgsp.provider": provider,
        "govsoc.lgsp.consumer": consumer,
    }
    return Event("", minute * MINUTE_MS, "H42", "lgsp.gateway", fields)


def receipts(minute: int, n: int, bad: int, carrier: str = "viettel", org: str = "H42") -> list[Event]:
    return [receipt(minute, i >= bad, carrier, org) for i in range(n)]


def run(levels: Levels, minutes: Iterable[int], *, n: int, bad: int, carrier: str = "viettel") -> list[Alarm]:
    alarms: list[Alarm] = []
    for minute in minutes:
        levels.observe(receipts(minute, n, bad, carrier))
        alarms += levels.tick((minute + 1) * MINUTE_MS)
    return alarms


def only(name: str) -> list[Slo]:
    return [slo for slo in SLOS if slo.name == name]


def test_an_outage_pages_and_ends() -> None:
    levels = Levels(only("otp-delivered"))
    down = START + 72 * 60
    for hour in range(71):
        levels.observe(receipts(START + hour * 60, 1200, 0))
        assert levels.tick((START + hour * 60 + 60) * MINUTE_MS) == []
    assert run(levels, range(down - 60, down), n=20, bad=0) == []
    (alarm,) = run(levels, range(down, down + 40), n=20, bad=20)
    assert (alarm.org, alarm.system, alarm.severity, alarm.ended_at) == ("H42", "otp", Severity.PAGE, None)
    # objective 97 %: 14.4 x 3 % of an hour is 26 minutes of nothing but failures, a little more for being sure
    assert 26 <= alarm.at // MINUTE_MS - down <= 30
    assert alarm.children[0].name == ""
    assert alarm.children[0].bad >= 500
    (level,) = levels.levels()
    assert level.burning is not None
    assert level.burning.id == alarm.id
    assert (level.total, level.bad) == (72 * 1200 + 800, 800)
    assert level.budget_left == pytest.approx(1 - 800 / (level.total * 0.03))
    (end,) = run(levels, range(down + 40, down + 300), n=20, bad=0)
    assert end.id == alarm.id
    assert end.ended_at is not None
    assert down + 40 <= end.ended_at // MINUTE_MS <= down + 60


def test_what_has_just_begun_alarms_nobody() -> None:
    assert run(Levels(SLOS), range(START, START + 5), n=20, bad=20) == []


def test_a_slow_leak_is_a_ticket() -> None:
    levels = Levels(SLOS)
    alarms = [a for minute in range(START, START + 3 * 1440, 5) for a in run(levels, [minute], n=50, bad=4)]
    assert alarms
    assert alarms[0].severity is Severity.TICKET


@pytest.mark.parametrize(
    ("total", "bad", "alarms"),
    [
        (4, 4, False),  # fewer than five failures
        (10, 5, False),  # half of them, of so few that it may be chance
        (60, 60, True),
        (3000, 3000, True),
    ],
)
def test_little_traffic_is_no_outage(total: int, bad: int, alarms: bool) -> None:
    """Spread over an hour, the failures among the others, so that each window has its own share of them."""
    levels, found = Levels(only("otp-delivered")), list[Alarm]()
    levels.observe([receipt(START, True, org="H17")])  # so that it is known to find what is good
    for minute in range(61):
        numbers = range(total * minute // 61, total * (minute + 1) // 61)
        levels.observe([receipt(START + minute, n * bad // total == (n + 1) * bad // total) for n in numbers])
        found += levels.tick((START + minute + 1) * MINUTE_MS)
    assert [level.bad for level in levels.levels() if level.org == "H42"] == [bad]
    assert bool(found) is alarms


def test_missing_is_unknown() -> None:
    levels = Levels(SLOS)
    run(levels, range(START, START + 60), n=20, bad=0)
    assert run(levels, range(START + 60, START + 600), n=0, bad=0) == []
    (level,) = [level for level in levels.levels() if level.name == "otp-delivered"]
    assert level.burn is None
    assert level.ratio == 1.0
    assert not any(level.system == "lgsp" for level in levels.levels())


def test_an_episode_of_which_nothing_is_known_stays_until_a_day_has_passed() -> None:
    levels = Levels(SLOS)
    (alarm,) = run(levels, range(START, START + 60), n=20, bad=19)
    assert run(levels, range(START + 60, START + 500), n=0, bad=0) == []
    (end,) = run(levels, range(START + 500, START + 60 + 3 * 1440), n=0, bad=0)
    assert end.id == alarm.id
    assert end.ended_at
    assert "recorded" in end.reason["en"]


def test_one_carrier_is_named() -> None:
    levels = Levels(only("otp-delivered"))
    alarms: list[Alarm] = []
    for minute in range(START, START + 90):
        for carrier in ("viettel", "vinaphone", "mobifone"):
            levels.observe(receipts(minute, 20, 15 if carrier == "mobifone" and minute > START + 30 else 0, carrier))
        alarms += levels.tick((minute + 1) * MINUTE_MS)
    assert alarms[-1].place.blame is Blame.UPSTREAM
    assert alarms[-1].place.upstream == ("mobifone",)
    assert len({alarm.id for alarm in alarms}) == 1, "one parent"
    assert "mobifone" in alarms[-1].reason["vi"]
    assert "mobifone" in alarms[-1].reason["en"]
    (level,) = levels.levels()
    assert (level.parts[0].name, level.parts[0].kind) == ("mobifone", Blame.UPSTREAM)


@pytest.mark.parametrize(
    ("fails", "blame"),
    [
        (lambda consumer, provider: provider == "C06", Blame.UPSTREAM),
        (lambda consumer, provider: consumer == "motcua", Blame.LOCAL),
        (lambda consumer, provider: True, Blame.PLATFORM),
        (lambda consumer, provider: (consumer, provider) == ("motcua", "C06"), Blame.LINK),
    ],
)
def test_whose_fault(fails, blame: Blame) -> None:  # type: ignore[no-untyped-def]
    levels = Levels(only("lgsp-answered"))
    alarms: list[Alarm] = []
    for minute in range(START, START + 40):
        for consumer in ("motcua", "hotich", "datdai"):
            for provider in ("C06", "BTP", "BTNMT"):
                bad = fails(consumer, provider) and minute > START + 10
                levels.observe([call(minute, not bad, consumer, provider)] * 5)
        alarms += levels.tick((minute + 1) * MINUTE_MS)
    assert {alarm.place.blame for alarm in alarms} == {blame}
    assert len({alarm.id for alarm in alarms}) == 1


def test_organisations_are_apart() -> None:
    levels = Levels(SLOS)
    alarms = []
    for minute in range(START, START + 60):
        levels.observe(receipts(minute, 20, 20, org="H42") + receipts(minute, 20, 0, org="H50"))
        alarms += levels.tick((minute + 1) * MINUTE_MS)
    assert {alarm.org for alarm in alarms} == {"H42"}
    assert {(level.org, level.bad) for level in levels.levels()} == {("H42", 1200), ("H50", 0)}


def test_late_and_early_events() -> None:
    levels = Levels(only("otp-delivered"))
    run(levels, range(START, START + 60), n=10, bad=0)
    levels.observe(receipts(START + 5, 7, 7))  # late, and still counted to its minute
    levels.observe(receipts(START - 40 * 24 * 60, 5, 5))  # of another month
    levels.observe(receipts(START + 10 * 60, 5, 5))  # a clock that is wrong
    levels.tick((START + 61) * MINUTE_MS)
    (level,) = levels.levels()
    assert (level.total, level.bad, levels.ahead) == (607, 7, 5)


def test_the_rest_is_counted_together() -> None:
    levels = Levels(only("otp-delivered"), own=3)
    for n in range(10):
        levels.observe(receipts(START, 10, 0, f"carrier-{n}"))
    levels.tick((START + 1) * MINUTE_MS)
    (level,) = levels.levels()
    assert (level.total, level.uncounted, len(level.parts)) == (100, 70, 3)
    assert OTHER not in {part.name for part in level.parts}


def test_the_rest_is_of_the_period_as_all_else() -> None:
    levels = Levels(only("otp-delivered"), own=2)
    for day in range(41):
        for n in range(5):
            minute = START + day * 1440
            levels.observe(receipts(minute, 1, 0, f"carrier-{n}"), minute * MINUTE_MS)
        levels.tick((START + day * 1440 + 1) * MINUTE_MS)
    (level,) = levels.levels()
    assert level.uncounted <= level.total
    assert level.total == 28 * 5


def test_what_is_gone_makes_room() -> None:
    levels = Levels(only("otp-delivered"), own=1)
    levels.observe(receipts(START, 10, 0, "old"))
    levels.tick((START + 1) * MINUTE_MS)
    later = START + 40 * 1440
    levels.tick(later * MINUTE_MS)
    levels.observe(receipts(later, 10, 0, "new"))
    levels.tick((later + 1) * MINUTE_MS)
    (level,) = levels.levels()
    assert [part.name for part in level.parts] == ["new"]
    assert level.total == 10


Step = tuple[int, int, str]  # minutes on, how many of ten fail, carrier
STEPS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 10), st.sampled_from(["viettel", "vinaphone", "mobifone"])),
    max_size=60,
)


@settings(max_examples=20, deadline=None)
@given(STEPS, st.integers(0, 60))
def test_kept_and_loaded_is_the_same_as_undisturbed(steps: list[Step], kill: int) -> None:
    whole, minute = Levels(SLOS), START
    broken, kept = Levels(SLOS), dict[str, bytes]()
    for number, (on, bad, carrier) in enumerate(steps):
        minute += on
        batch = receipts(minute, 10, bad, carrier)
        if number % 7 == kill % 7:  # the process dies after the commit
            broken = Levels(SLOS)
            broken.load(kept)
        whole.observe(batch)
        broken.observe(batch)
        assert whole.tick(minute * MINUTE_MS) == broken.tick(minute * MINUTE_MS)
        assert whole.levels() == broken.levels()
        for name, value in broken.changes().items():
            if value is None:
                kept.pop(name, None)
            else:
                kept[name] = value


def test_a_changed_meaning_starts_anew() -> None:
    levels = Levels(only("otp-delivered"))
    run(levels, range(START, START + 60), n=10, bad=0)
    kept = {name: value for name, value in levels.changes().items() if value is not None}
    changed = Levels([replace(slo, text="another") for slo in only("otp-delivered")])
    changed.load(kept)
    assert changed.levels() == []
    same = Levels(only("otp-delivered"))
    same.load(kept)
    assert same.levels() == levels.levels()


def test_an_objective_may_change_while_some_it_has_counted_are_quiet() -> None:
    """What is kept by the minute reaches only those that were heard of in the last hours."""
    answered, delivered = (only(name)[0] for name in ("lgsp-answered", "otp-delivered"))
    levels = Levels([answered, delivered])
    run(levels, [START], n=1, bad=0)
    levels.observe([call(START, True, "H42", f"provider-{n}") for n in range(20)])
    run(levels, range(START + 1, START + 900), n=1, bad=0)
    kept = {name: value for name, value in levels.changes().items() if value is not None}
    changed = Levels([replace(answered, text="another"), delivered])
    changed.load(kept)
    assert {level.name for level in changed.levels()} == {"otp-delivered"}


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 0"):
        Levels(SLOS).load({"head": b'{"version":0}'})


def test_a_place_that_is_named_for_a_moment_is_not_told() -> None:
    """One carrier is down; in some minutes another one has a few failures."""
    levels = Levels(only("otp-delivered"))
    alarms: list[Alarm] = []
    for minute in range(START, START + 400):
        for carrier in ("viettel", "vinaphone", "mobifone"):
            down = carrier == "mobifone" and minute > START + 60
            few = 3 if carrier == "vinaphone" and minute % 50 < 2 else 0
            levels.observe(receipts(minute, 10, 10 if down else few, carrier))
        alarms += levels.tick((minute + 1) * MINUTE_MS)
    assert {alarm.place.upstream for alarm in alarms if alarm.place.blame is Blame.UPSTREAM} == {("mobifone",)}
    assert len(alarms) <= 3, "raised, and perhaps a ticket and an unknown place before"


def test_a_clock_that_is_ahead_is_no_beginning() -> None:
    levels = Levels(only("otp-delivered"))
    now = START * MINUTE_MS
    levels.observe([receipt(START + 10 * 365 * 1440, good=True)], now)
    levels.tick(now)
    assert levels.ahead == 1
    alarms = run(levels, range(START, START + 60), n=20, bad=19)
    assert [alarm.severity for alarm in alarms] == [Severity.PAGE]


def test_a_clock_that_is_behind_is_no_beginning_either() -> None:
    levels = Levels(only("otp-delivered"))
    levels.observe([receipt(1, good=True)], MINUTE_MS)
    levels.tick(MINUTE_MS)
    levels.observe(receipts(START, 20, 0), START * MINUTE_MS)
    levels.tick((START + 1) * MINUTE_MS)
    assert (levels.ahead, [level.total for level in levels.levels()]) == (0, [20])


def test_nothing_is_lost_after_a_long_rest() -> None:
    levels = Levels(only("otp-delivered"))
    run(levels, range(START, START + 10), n=10, bad=0)
    later = START + 8 * 60
    levels.observe(receipts(later, 10, 0), later * MINUTE_MS)
    levels.tick((later + 1) * MINUTE_MS)
    assert (levels.ahead, [level.total for level in levels.levels()]) == (0, [110])


def test_what_a_clock_ahead_has_kept_is_refused() -> None:
    levels = Levels(only("otp-delivered"))
    run(levels, range(START, START + 10), n=10, bad=0)
    kept = {name: value for name, value in levels.changes().items() if value is not None}
    Levels(only("otp-delivered")).load(kept, START * MINUTE_MS)
    with pytest.raises(ValueError, match="ahead"):
        Levels(only("otp-delivered")).load(kept, (START - 1440) * MINUTE_MS)


def test_the_end_says_since_when() -> None:
    """To whom it was told first as a ticket, then as a page, each is told that it is over."""
    levels = Levels(only("otp-delivered"))
    run(levels, range(START, START + 4 * 1440, 15), n=150, bad=9)
    alarms = run(levels, range(START + 4 * 1440, START + 4 * 1440 + 60), n=20, bad=20)
    assert alarms[-1].severity is Severity.PAGE
    ends = run(levels, range(START + 4 * 1440 + 60, START + 9 * 1440, 15), n=150, bad=0)
    assert [end.severity for end in ends] == [Severity.TICKET, Severity.PAGE]
    for end in ends:
        assert end.ended_at is not None
        assert "over" in end.reason["en"]
        finding = finding_of(end)
        assert finding.matched["govsoc.level.ended"] == iso(end.ended_at)
        local = datetime.fromtimestamp(end.ended_at / 1000, timezone(timedelta(hours=7)))
        assert f"{local:%H:%M ngày %d/%m/%Y}" in str(finding.matched["govsoc.level.reason_vi"])
    assert finding_of(ends[1]).alert_id == finding_of(alarms[-1]).alert_id
    assert finding_of(ends[0]).alert_id != finding_of(ends[1]).alert_id


def test_an_unknown_place_is_told_once_and_not_in_each_order_of_its_names() -> None:
    """Three bad links among sixteen, of which now one, now another is the worst."""
    levels, alarms = Levels(only("lgsp-answered")), list[Alarm]()
    bad = [("a", "1"), ("b", "2"), ("c", "3")]
    for minute in range(START, START + 600):
        for consumer in "abcd":
            for provider in "1234":
                worst = bad.index((consumer, provider)) if (consumer, provider) in bad else None
                fails = 0 if worst is None else 6 + (minute // 20 + worst) % 3
                levels.observe([call(minute, n >= fails, consumer, provider) for n in range(10)])
        alarms += levels.tick((minute + 1) * MINUTE_MS)
    assert alarms[-1].place.blame is Blame.UNKNOWN
    assert len(alarms) <= 4, [alarm.place for alarm in alarms]


def test_objectives_change_and_counts_that_mean_the_same_stay() -> None:
    kept: dict[str, bytes] = {}

    def with_objectives(slos: Iterable[Slo], *, forget: bool = True) -> Levels:
        """From what was kept, as when the files have changed."""
        levels = Levels(list(slos))
        levels.load(kept, forget=forget)
        return levels

    def keep(levels: Levels) -> None:
        for name, value in levels.changes().items():
            kept.pop(name, None) if value is None else kept.__setitem__(name, value)

    levels = Levels(SLOS)
    run(levels, range(START, START + 60), n=20, bad=19)
    (burning,) = [level.burning for level in levels.levels()]
    assert burning is not None
    keep(levels)
    stricter = with_objectives(replace(slo, objective=0.999) if slo.name == "otp-delivered" else slo for slo in SLOS)
    assert [(one.objective, one.total, one.burning) for one in stricter.levels()] == [(0.999, 1200, burning)]
    gone = with_objectives(only("lgsp-fast"), forget=False)  # a slip of the pen in its file
    assert gone.levels() == []
    keep(gone)
    assert [one.total for one in with_objectives(SLOS).levels()] == [1200]
    assert with_objectives(replace(slo, text="another") for slo in SLOS).levels() == []
    gone = with_objectives(only("lgsp-fast"))
    ends = gone.tick((START + 60 + 1600) * MINUTE_MS)
    assert [end.ended_at for end in ends] == [], "nothing is known for less than a day of minutes decided"
    ends += [end for day in range(1, 6) for end in gone.tick((START + 1660 + day * 360) * MINUTE_MS)]
    assert [(end.id, end.ended_at is not None) for end in ends] == [(burning.id, True)], (
        "what burned is given up, and told"
    )


def test_before_the_first_good_event_nobody_is_alarmed() -> None:
    levels = Levels(only("otp-delivered"))
    assert run(levels, range(START, START + 240), n=20, bad=20) == []
    (level,) = levels.levels()
    assert (level.ratio, level.never_good, level.burning) == (0.0, True, None)
    kept = {name: value for name, value in levels.changes().items() if value is not None}
    levels = Levels(only("otp-delivered"))
    levels.load(kept)
    assert run(levels, range(START + 240, START + 300), n=20, bad=20) == []
    (alarm,) = run(levels, [START + 300], n=20, bad=19)
    assert (alarm.severity, alarm.at // MINUTE_MS) == (Severity.PAGE, START + 301)
    assert not levels.levels()[0].never_good


def test_a_service_that_is_down_from_its_first_event_alarms_where_another_organisation_had_a_good_one() -> None:
    levels = Levels(only("otp-delivered"))
    levels.observe([receipt(START, True, org="H17")])
    (alarm,) = run(levels, range(START, START + 60), n=20, bad=20)
    assert alarm.org == "H42"


def test_that_there_was_a_good_event_is_known_after_the_period_and_of_what_was_kept_before() -> None:
    levels = Levels(only("otp-delivered"))
    run(levels, [START], n=20, bad=0)
    kept = {name: value for name, value in levels.changes().items() if value is not None}
    head = orjson.loads(kept["head"])
    del head["good_since"]
    kept["head"] = orjson.dumps(head)
    levels = Levels(only("otp-delivered"))
    levels.load(kept)
    later = START + 40 * 1440
    levels.tick(later * MINUTE_MS)
    (alarm,) = run(levels, range(later, later + 60), n=20, bad=20)
    assert alarm.severity is Severity.PAGE
    changed = Levels([replace(slo, text="another") for slo in only("otp-delivered")])
    changed.load({name: value for name, value in levels.changes().items() if value is not None})
    assert not run(changed, range(later + 60, later + 180), n=20, bad=20), "what goes on is not said to be over"
    assert changed.levels()[0].burning is not None
    told = run(changed, range(later + 180, later + 2 * 1440), n=20, bad=0)
    assert next(one for one in told if one.ended_at is not None).since == alarm.since
