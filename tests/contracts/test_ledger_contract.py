"""The ledger of every store: each commit counts once, adds up, and keeps to the scope."""

from __future__ import annotations

import pytest
from opened import NOON, commit

from soc.errors import SocError
from soc.model.calendar import HOUR_MS
from soc.model.ledger import MINUTE_MS, NOBODY, Deeds, Entries, Line, Total
from soc.model.org import EVERYTHING, Scope
from soc.store.elastic.records.ledger import ElasticLedger

DAY = 86_400_000
HUNGYEN = Scope(frozenset({"hungyen"}))
END = NOON + 100 * DAY
FEW = Entries(
    {("r-1", "hungyen"): Deeds(3, 2, 1), ("r-1", "hue"): Deeds(5, 5)},
    {("web", "hungyen"): 10, ("web", "hue"): 20, (NOBODY, "hue"): 2},
    {"web": ("r-1", "r-2")},
)


def told(opened, now, entries=FEW):
    """A server hears of it some seconds behind, and finds it when it has refreshed its indices."""
    commit(opened, [], ledger=entries, cursor={"a": now}, now=now)
    if isinstance(opened.stores.ledger, ElasticLedger):
        commit(opened, [], cursor={"a": now}, now=now + 11_000)
        opened.stores.ledger._client.indices.refresh(index="govsoc-*")


def test_minutes_and_hours_add_up_and_keep_to_the_scope(opened, reopen):
    told(opened, NOON)
    told(opened, NOON + MINUTE_MS)
    told(opened, NOON + HOUR_MS, Entries({}, {("web", "hue"): 7}, {"web": ("r-1", "r-2")}))
    ledger = reopen().stores.ledger
    assert ledger.minutes("r-1", HUNGYEN, since=0, until=END) == [
        Line(NOON, MINUTE_MS, Deeds(3, 2, 1)),
        Line(NOON + MINUTE_MS, MINUTE_MS, Deeds(3, 2, 1)),
    ]
    assert ledger.hours("r-1", EVERYTHING, since=NOON, until=END) == [
        Line(NOON, HOUR_MS, Deeds(16, 14, 2), 60),
        Line(NOON + HOUR_MS, HOUR_MS, Deeds(), 7),
    ]
    assert ledger.hours("r-1", HUNGYEN, since=NOON, until=END) == [Line(NOON, HOUR_MS, Deeds(6, 4, 2), 20)]
    assert ledger.hours("r-2", HUNGYEN, since=NOON, until=END) == [Line(NOON, HOUR_MS, Deeds(), 20)]
    assert ledger.hours("r-3", EVERYTHING, since=NOON, until=END) == []
    assert ledger.hours("r-1", Scope(frozenset()), since=NOON, until=END) == []
    assert ledger.minutes("r-1", EVERYTHING, since=NOON, until=NOON) == []
    assert ledger.totals(EVERYTHING, since=0) == {
        "r-1": Total(Deeds(16, 14, 2), 67, NOON, NOON + HOUR_MS),
        "r-2": Total(Deeds(), 67, None, NOON + HOUR_MS),
    }
    assert ledger.totals(HUNGYEN, since=NOON + HOUR_MS) == {}
    assert (ledger.unread(EVERYTHING, since=0), ledger.unread(HUNGYEN, since=0)) == (4, 0)


def test_what_belongs_to_no_organisation_is_for_those_who_see_all(opened):
    told(opened, NOON, Entries({("r-1", ""): Deeds(failed=1)}))
    ledger = opened.stores.ledger
    assert ledger.totals(EVERYTHING, since=0)["r-1"].deeds == Deeds(failed=1)
    assert ledger.totals(HUNGYEN, since=0) == {}


def test_minutes_go_before_hours(opened, reopen):
    told(opened, NOON)
    later = NOON + 15 * DAY
    told(reopen(), later, Entries({("r-2", "hue"): Deeds(1, 1)}))
    ledger = reopen().stores.ledger
    assert ledger.minutes("r-1", EVERYTHING, since=0, until=END) == []
    assert [line.at for line in ledger.hours("r-1", EVERYTHING, since=0, until=END)] == [NOON]
    told(reopen(), NOON + 402 * DAY, Entries({("r-2", "hue"): Deeds(1, 1)}))
    assert ledger.hours("r-1", EVERYTHING, since=0, until=END) == []


def test_a_commit_that_fails_counts_nothing(opened):
    with pytest.raises(SocError):
        commit(opened, [], ledger=FEW, state={"k": (b"", "no number at all"), "k2": (object(), 1)}, now=NOON)
    assert opened.stores.ledger.totals(EVERYTHING, since=0) == {}
