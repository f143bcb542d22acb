"""Lists as the detector knows them: taken up between two batches, without a window lost, each for whom it is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from api.errors import Refused
from api.indicators import Which, get, joined, put, remove, replaced, visible, without
from rules.desk.tuning import Tuning
from rules.lists.pack import Entry
from soc.buffer.sqlite import EventLog
from soc.cli.lists_checks import lists_checks
from soc.errors import Conflict, Forbidden, NotFound
from soc.model.account import Account, Role
from soc.model.indicator import ListType
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.service.detector import put_together
from soc.service.lists import KnownLists, lists_dir
from soc.settings import Settings
from soc.store.base import AlertFilter
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir, open_stores

NOON = 1_772_452_800_000
RULES = """
title: Listed
id: 3f6e8f0a-0000-4000-8000-000000000001
name: listed
logsource: {product: linux}
detection: {selection: {source.ip|expand: '%bad%'}, condition: selection}
---
title: Many of those listed
id: 3f6e8f0a-0000-4000-8000-000000000002
level: high
correlation: {type: event_count, rules: [listed], group-by: [source.ip], timespan: 1m, condition: {gte: 4}}
"""
ADMIN = Account("admin", Role.ADMIN, EVERYTHING)
OF_HUNGYEN = Account("hy", Role.ADMIN, Scope(frozenset({"hungyen"})))


class Rig:
    def __init__(self, folder: Path) -> None:
        rules = folder / "r.yml"
        rules.write_text(RULES)
        self.now = NOON
        settings = Settings(data_dir=folder / "data", detect={"rules": [rules]})
        self.folder = lists_dir(settings.data_dir)
        self.log, self.detections = EventLog(events_dir(settings.data_dir)), SqliteDetections(settings.data_dir)
        self.stores = open_stores(settings.data_dir)
        self.known = KnownLists(self.stores.policies, self.folder, lambda: self.now)
        self.pipeline, self.publisher, _ = put_together(settings, self.log, self.detections, Tuning, self.known)
        self.pipeline.between = self.known.take
        self.put = partial(put, self.stores, self.folder, reason="seen", now=NOON)

    def drain(self, *events) -> None:
        self.known.load()
        self.log.append(list(events))
        self.pipeline.drain()

    def alerts(self) -> dict[str, int]:
        return {f"{a.title} {a.org}": a.count for a in self.stores.alerts.list(AlertFilter(), EVERYTHING).items}


@pytest.fixture
def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    rig.log.close()
    rig.detections.close()


@pytest.fixture
def from_(make_event):
    def make(second: int, ip: str = "203.0.113.9", org: str = "hungyen"):
        return make_event(NOON + second * 1000, f"{org}{second}", org=org, dataset="linux.auth", source__ip=ip)

    return make


def entries(*values: str, until: int = 0):
    return replaced([Entry(value, until, "note") for value in values])


def test_a_list_that_changes_is_taken_up_and_loses_no_window(rig, from_) -> None:
    rig.drain(from_(0))
    assert rig.alerts() == {}
    rig.put(ADMIN, Which("bad"), ListType.IP, entries("203.0.113.0/24"))
    rig.drain(from_(1), from_(2))
    rig.put(ADMIN, Which("bad"), ListType.IP, joined([Entry("198.51.100.1")]))
    rig.drain(from_(3), from_(4))
    assert rig.alerts() == {"Many of those listed hungyen": 4}
    remove(rig.stores, ADMIN, Which("bad"), reason="over", now=NOON)
    rig.drain(from_(5))
    assert rig.alerts() == {"Many of those listed hungyen": 4}


def test_an_entry_ends(rig, from_) -> None:
    rig.put(ADMIN, Which("bad"), ListType.IP, entries("203.0.113.9", until=NOON // 1000 + 60))
    rig.drain(from_(0), from_(1))
    rig.now += 60_000
    rig.drain(from_(2), from_(3))
    assert rig.alerts() == {}
    rig.put(ADMIN, Which("bad"), ListType.IP, entries("203.0.113.9", until=NOON // 1000 + 120))
    rig.drain(from_(4), from_(5))
    assert rig.alerts() == {"Many of those listed hungyen": 4}


def test_the_list_of_an_organisation_is_its_own(rig, from_) -> None:
    rig.put(OF_HUNGYEN, Which("bad", "hungyen"), ListType.IP, entries("203.0.113.9"))
    rig.drain(*(from_(n, org=org) for n in range(4) for org in ("hungyen", "hanoi")))
    assert rig.alerts() == {"Many of those listed hungyen": 4}
    policies = rig.stores.policies
    assert [one.record.id for one in visible(policies, OF_HUNGYEN.scope)] == ["bad@hungyen"]
    assert visible(policies, Scope(frozenset({"hanoi"}))) == []
    with pytest.raises(NotFound):
        get(policies, Which("bad", "hungyen"), Scope(frozenset({"hanoi"})))
    other = Account("hn", Role.ADMIN, Scope(frozenset({"hanoi"})))
    with pytest.raises(NotFound):
        remove(rig.stores, other, Which("bad", "hungyen"), reason="x", now=NOON)
    for account, which in ((other, Which("bad", "hungyen")), (OF_HUNGYEN, Which("bad"))):
        with pytest.raises(Forbidden):
            rig.put(account, which, ListType.IP, entries("10.0.0.1"))
    assert get(policies, Which("bad", "hungyen"), EVERYTHING).version == 1


def test_what_changes_is_said_and_audited(rig) -> None:
    rig.put(ADMIN, Which("bad"), ListType.IP, entries("10.0.0.1", "10.0.0.2"))
    dry = rig.put(ADMIN, Which("bad"), ListType.IP, entries("10.0.0.2", "10.0.0.3"), dry=True)
    assert (dry.added, dry.removed, dry.first_added, dry.first_removed) == (1, 1, ("10.0.0.3",), ("10.0.0.1",))
    assert get(rig.stores.policies, Which("bad"), EVERYTHING).record.entries == 2
    rig.put(ADMIN, Which("bad"), ListType.IP, without(["10.0.0.1"]))
    with pytest.raises(Refused, match=r"10\.0\.0\.1 is not on the list"):
        rig.put(ADMIN, Which("bad"), ListType.IP, without(["10.0.0.1"]))
    with pytest.raises(Refused, match="of type ip"):
        rig.put(ADMIN, Which("bad"), ListType.DOMAIN, entries("evil.vn"))
    remove(rig.stores, ADMIN, Which("bad"), reason="over", now=NOON)
    rig.put(ADMIN, Which("bad"), ListType.DOMAIN, entries("evil.vn"))
    said = [(one.action, one.target) for one in rig.stores.audit.list().items]
    assert said == [("list.change", "bad"), ("list.remove", "bad"), ("list.change", "bad"), ("list.change", "bad")]


def test_a_list_whose_file_is_not_here_goes_on_as_it_was(rig, from_) -> None:
    rig.put(ADMIN, Which("bad"), ListType.IP, entries("203.0.113.9"))
    rig.drain(from_(0))
    body = {"type": "ip", "file": "0" * 32, "entries": 1}
    rig.stores.policies.put(Policy(PolicyKind.LIST, "bad", 2, body, "elsewhere", NOON))
    rig.drain(from_(1), from_(2), from_(3))
    assert rig.alerts() == {"Many of those listed hungyen": 4}
    rig.publisher.look()
    [fault] = rig.known.faults
    assert "not on this machine: import the list here, too" in fault.reason
    with pytest.raises(Conflict):
        rig.stores.policies.put(Policy(PolicyKind.LIST, "bad", 2, {**body, "entries": 2}, "late", NOON))


def test_doctor_names_the_rules_that_rest(rig) -> None:
    rig.publisher.look()
    [check] = lists_checks(Settings(data_dir=rig.folder.parent), rig.stores)
    assert (check.name, check.state) == ("list bad", "warn")
    assert check.found == "not there; rules that rest for it, or whose filter takes nothing away: 1, such as Listed"
