"""Backtests of series: interrupted anywhere they end as if undisturbed, and where they are cut they say so."""

from __future__ import annotations

import pytest
from streams import DELIVERY, LOST, MINUTE, START, receipts

from detector.series.definition import loads
from soc.backtest.series import Cut, Lack, Lacking, lacks, plain
from soc.buffer.sqlite import EventLog
from soc.errors import ConfigError
from soc.model.harmless import HarmlessEntity, HarmlessSeries
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.service import observed
from soc.service.stores import open_stores
from soc.settings import Settings
from soc.store.sqlite import events_dir

DAY_MS = 86_400_000


@pytest.fixture
def settings(tmp_path):
    log = EventLog(events_dir(tmp_path))
    log.append(list(receipts(1560, 15, 1, LOST)))
    log.close()
    return Settings(data_dir=tmp_path)


def opened(settings, scope=EVERYTHING, text=DELIVERY):
    return observed.open_trial(settings, loads(text, "own.yml"), scope, 5, lambda: START + 2 * DAY_MS)


def test_it_says_what_it_looked_at_and_draws_what_was_off(settings):
    with opened(settings) as trial:
        for _ in trial.run():
            pass
        found = trial.outcome()
        trial.forget()
    assert (found.events, found.series, found.total, found.alerts, found.cut) == (1560 * 15, 5, 1, 1, None)
    assert START <= found.began < START + MINUTE
    assert START + 1559 * MINUTE <= found.reached <= START + 1560 * MINUTE
    (anomaly,) = found.anomalies
    assert anomaly.key == ("viettel",)
    assert len(found.plots) == 5
    first = found.plots[0]
    assert (first.key, first.off) == (("viettel",), ((anomaly.anomaly.since, anomaly.anomaly.until),))
    assert 200 < len(first.readings) <= 400
    assert sum(found.by_day.values()) == 1
    assert [place.name for place in (settings.data_dir / "backtests").glob("*")] == []


def test_days_are_counted_of_all_anomalies_not_of_those_that_are_told(tmp_path, monkeypatch):
    log = EventLog(events_dir(tmp_path))
    log.append(list(receipts(3060, 15, 1, {"viettel": (1500, 1530, 0.4), "mobifone": (3000, 3030, 0.4)})))
    log.close()
    monkeypatch.setattr(observed, "MOST", 1)
    settings = Settings(data_dir=tmp_path)
    with observed.open_trial(settings, loads(DELIVERY, "own.yml"), EVERYTHING, 5, lambda: START + 3 * DAY_MS) as trial:
        list(trial.run())
        found = trial.outcome()
        trial.forget()
    assert (len(found.anomalies), found.total, found.alerts) == (1, 2, 2)
    assert list(found.by_day.values()) == [1, 1]


def test_what_is_interrupted_goes_on_and_ends_as_if_undisturbed(settings, monkeypatch):
    with opened(settings) as trial:
        list(trial.run())
        whole = plain(trial.outcome())
        trial.forget()
    monkeypatch.setattr(observed, "_COMMIT_EVENTS", 5000)
    with opened(settings) as trial:
        steps = trial.run()
        next(steps)
        next(steps)
        steps.close()
    with opened(settings) as trial:
        assert 0 < sum(1 for _ in trial.run()) < 5, "not from the beginning"
        assert plain(trial.outcome()) == whole
        trial.forget()


def test_other_policies_do_not_make_it_begin_anew_and_of_the_others_the_latest_is_kept(settings, monkeypatch):
    monkeypatch.setattr(observed, "_COMMIT_EVENTS", 5000)
    policies = open_stores(settings).policies

    def places():
        return {place.name for place in (settings.data_dir / "backtests").glob("*")}

    def stopped(text=DELIVERY):
        before = places()
        with opened(settings, text=text) as trial:
            next(trial.run())
        return places() - before

    (first,) = stopped()
    policies.put(Policy(PolicyKind.RULE, "r", 1, {"stage": "live"}, "lan", START, ""))
    entity = HarmlessEntity("c" * 44, "officers", "hungyen", "user.id", "canbo.01", "b" * 24, ()).body()
    policies.put(Policy(PolicyKind.HARMLESS, "c" * 44, 1, entity, "lan", START, ""))
    assert stopped() == set()
    harmless = HarmlessSeries("a" * 24, "delivery", "hungyen", 3.0, "b" * 24).body()
    policies.put(Policy(PolicyKind.HARMLESS, "a" * 24, 1, harmless, "lan", START, ""))
    (second,) = stopped()
    assert places() == {first, second}
    (third,) = stopped(DELIVERY.replace("name: delivery", "name: other"))
    assert places() == {second, third}


def test_one_that_takes_too_long_or_too_much_room_says_so(settings, monkeypatch):
    monkeypatch.setattr(observed, "_COMMIT_EVENTS", 5000)
    with opened(settings) as trial:
        assert sum(1 for _ in trial.run(longest_s=0.0)) == 1
        cut = trial.outcome()
        trial.forget()
    assert (cut.cut, cut.events) == (Cut.TIME, 5000)
    assert cut.reached < START + 1500 * MINUTE < cut.until
    monkeypatch.setattr(observed, "MOST_BYTES", 1)
    with opened(settings) as trial:
        list(trial.run())
        assert trial.outcome().cut is Cut.ROOM
        trial.forget()


def test_time_and_progress_count_also_where_there_are_only_events_of_others(settings, monkeypatch):
    monkeypatch.setattr(observed, "_BATCH", 500)
    ninhbinh = Scope(frozenset({"ninhbinh"}))
    with opened(settings, ninhbinh) as trial:
        assert sum(1 for _ in trial.run(longest_s=0.0)) == 1
        assert trial.outcome().cut is Cut.TIME
        assert 0 < trial.progress.done < trial.progress.total
    with opened(settings, ninhbinh) as trial:
        list(trial.run())
        assert (trial.outcome().cut, trial.progress.done) == (None, trial.progress.total)
        trial.forget()


def test_only_what_the_scope_sees_is_looked_at(settings):
    with opened(settings, Scope(frozenset({"ninhbinh"}))) as trial:
        list(trial.run())
        found = trial.outcome()
        trial.forget()
    assert (found.events, found.series, found.began, found.reached) == (0, 0, None, None)


def test_one_at_a_time_and_none_of_nothing(settings):
    with opened(settings), pytest.raises(ConfigError, match="already running"), opened(settings):
        pass
    bad = DELIVERY.replace("measure: ratio\n", "")
    with pytest.raises(ConfigError, match=r"can be used: own\.yml:2: measure"), opened(settings, text=bad):
        pass


SLIPS = """
name: no-dataset
system: otp
titles: {vi: a, en: b}
dataset: otp.gatway
measure: count
---
name: no-where
system: otp
titles: {vi: a, en: b}
dataset: otp.gateway
where: govsoc.otp.evnt:dlr
measure: count
---
name: no-group
system: otp
titles: {vi: a, en: b}
dataset: otp.gateway
group_by: [event.outcome, govsoc.otp.carier]
measure: count
---
name: no-number
system: otp
titles: {vi: a, en: b}
dataset: otp.gateway
measure: quantile
field: govsoc.otp.carrier
---
name: no-hit
system: otp
titles: {vi: a, en: b}
dataset: otp.gateway
measure: ratio
hit: event.outcome:failrue
---
name: no-join
system: otp
titles: {vi: a, en: b}
dataset: otp.gateway
measure: conversion
where: govsoc.otp.event:dlr
hit: govsoc.otp.event:verify_ok
join: govsoc.otp.requset
---
name: no-answer
system: otp
titles: {vi: a, en: b}
dataset: otp.gateway
measure: conversion
where: govsoc.otp.event:dlr
hit: govsoc.otp.event:verify_ok
join: govsoc.otp.latency_ms
"""


def test_definitions_that_found_nothing_are_named(settings, monkeypatch):
    """Also when it goes on where it was interrupted: what had a value before has had one."""
    monkeypatch.setattr(observed, "_COMMIT_EVENTS", 5000)
    text = f"{DELIVERY}---{SLIPS}"
    with opened(settings, text=text) as trial:
        next(iter(trial.run()))
    with opened(settings, text=text) as trial:
        assert trial._seen == {
            "valued delivery", "hit delivery", "valued no-group", "hit no-group", "valued no-hit", "idless no-join", "valued no-answer",
        }  # fmt: skip
        for _ in trial.run():
            pass
        found = trial.outcome()
        trial.forget()
    assert found.lacking == (
        Lacking("no-dataset", Lack.EVENT),
        Lacking("no-where", Lack.EVENT),
        Lacking("no-group", Lack.GROUP, "govsoc.otp.carier"),
        Lacking("no-number", Lack.VALUE, "govsoc.otp.carrier"),
        Lacking("no-hit", Lack.HIT, "", 1558 * 15),
        Lacking("no-join", Lack.JOIN, "govsoc.otp.requset"),
        Lacking("no-answer", Lack.HIT, "govsoc.otp.latency_ms", 1557 * 15),
    )
    assert lacks(found) == [
        "no event is of no-dataset, no-where: check `dataset` and `where`",
        "no event of no-group has govsoc.otp.carier, by which it groups",
        "no-number never had a value: check that govsoc.otp.carrier is there and what it measures, and that there are enough",
        "none of 23,370 events of no-hit is a hit: right if there was none yet; else check `hit`",
        "no event that `where` of no-join finds has govsoc.otp.requset, by which it joins",
        "none of 23,355 events of no-answer is a hit: right if there was none yet; else check `hit` and `join`",
    ]


def test_of_few_events_none_need_be_a_hit(settings, monkeypatch):
    monkeypatch.setattr(observed, "_MANY", 30_000)
    with opened(settings, text=SLIPS.split("---")[4]) as trial:
        for _ in trial.run():
            pass
        assert trial.outcome().lacking == ()


def test_a_field_that_only_others_beyond_the_bound_have_is_not_called_missing(settings):
    text = SLIPS.split("---")[2].replace("govsoc.otp.carier", "govsoc.otp.carrier") + "max_series: 1\n"
    with opened(settings, text=text.replace("event.outcome, ", "")) as trial:
        for _ in trial.run():
            pass
        assert trial.outcome().lacking == ()


def test_where_there_was_no_event_nobody_is_at_fault(settings):
    with opened(settings, Scope(frozenset({"ninhbinh"}))) as trial:
        for _ in trial.run():
            pass
        assert trial.outcome().lacking == ()
