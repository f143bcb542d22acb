"""What every store must do. A new store is one more parameter of `reopen`, and passes unchanged."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from indexed import IndexedLog

from soc.buffer.base import Buffer
from soc.buffer.sqlite import EventLog
from soc.errors import ConfigError, Conflict, NotFound, QueryError
from soc.model.account import Account, Role
from soc.model.alert import Status, Verdict
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc, RuleFault
from soc.model.source import Source, SourceHealth, Transport
from soc.query.parse import parse
from soc.store.base import AlertFilter, AuditEntry, Detections, Stores
from soc.store.detections import SqliteDetections
from soc.store.elastic import open as elastic
from soc.store.elastic.admin import setup
from soc.store.elastic.client import Client, connect
from soc.store.sqlite import events_dir, open_stores

DAY = 86_400_000
NOON = 1_772_452_800_000
HUNGYEN, NINHBINH = Scope(frozenset({"hungyen"})), Scope(frozenset({"ninhbinh"}))
RULE = RuleDoc(
    "r-1", "hash-1", "SSH brute force", "high", "title: SSH brute force", tags=("attack.t1110",), runbook={"en": "look"}
)


@dataclass
class Opened:
    stores: Stores
    detections: Detections
    buffer: Buffer


def open_sqlite(folder: Path) -> Opened:
    return Opened(open_stores(folder), SqliteDetections(folder), EventLog(events_dir(folder)))


def open_elastic(folder: Path, client: Client) -> Opened:
    return Opened(
        elastic.open_stores(client), elastic.open_detections(client, folder), IndexedLog(events_dir(folder), client)
    )


@pytest.fixture(params=["sqlite", pytest.param("elasticsearch", marks=pytest.mark.server)])
def reopen(request, tmp_path):
    """Opens the store, each time as a process does that was just started."""
    if request.param == "sqlite":
        yield lambda: open_sqlite(tmp_path)
        return
    url = request.getfixturevalue("elastic").url
    with ExitStack() as clients:
        setup.install(clients.enter_context(connect(url)))
        yield lambda: open_elastic(tmp_path, clients.enter_context(connect(url)))


@pytest.fixture
def opened(reopen):
    return reopen()


def finding(event, rule=RULE, entity="203.0.113.9", day="2026-03-02", **matched):
    alert = alert_id(rule.id, event.org, entity, day)
    return Finding(
        finding_id(alert, event.id),
        alert,
        rule.id,
        rule.hash,
        event.org,
        "source.ip",
        entity,
        event.ts,
        event.id,
        matched,
    )


def commit(opened, findings, now=NOON, rule=RULE, state=None, cursor=None, watermark=None):
    return opened.detections.commit(findings, {rule.hash: rule}, state or {}, cursor or {}, watermark, now)


# Alerts


def test_findings_fold_into_one_alert_and_every_folded_event_is_reachable(opened, make_event):
    events = [make_event(NOON + i * 1000, str(i)) for i in range(25)]
    new = commit(opened, [finding(e, source__ip="x") for e in events[:10]])
    assert commit(opened, [finding(e) for e in events[10:]], now=NOON + 5) == []
    alert = opened.stores.alerts.get(new[0], EVERYTHING)
    assert (alert.count, alert.first_seen, alert.last_seen, alert.raised_at) == (25, NOON, NOON + 24_000, NOON)
    assert (alert.title, alert.level, alert.tags, alert.entity) == (RULE.title, "high", RULE.tags, "203.0.113.9")
    seen, cursor = [], None
    while True:
        page = opened.stores.alerts.findings(alert.id, EVERYTHING, cursor=cursor, limit=10)
        seen += [f.event_id for f in page.items]
        if (cursor := page.next) is None:
            break
    assert seen == [event.id for event in events]


def test_the_same_findings_again_change_nothing(opened, make_event):
    events = [make_event(NOON + i, str(i)) for i in range(5)]
    commit(opened, [finding(e) for e in events])
    before = opened.stores.alerts.list(AlertFilter(), EVERYTHING)
    assert commit(opened, [finding(e) for e in reversed(events)], now=NOON + DAY) == []
    assert opened.stores.alerts.list(AlertFilter(), EVERYTHING) == before


def test_the_alert_is_the_same_whatever_the_order_of_its_findings(opened, reopen, make_event):
    events = [make_event(NOON + i, str(i)) for i in range(6)]
    for event in (events[3], events[5], events[0], events[1], events[4], events[2]):
        commit(opened, [finding(event)])
    alert = reopen().stores.alerts.list(AlertFilter(), EVERYTHING).items[0]
    assert (alert.count, alert.first_seen, alert.last_seen) == (6, NOON, NOON + 5)


def test_alerts_are_listed_newest_first_by_cursor(opened, make_event):
    for i in range(23):
        commit(opened, [finding(make_event(NOON + i, str(i)), entity=f"10.0.0.{i}")], now=NOON + i // 3)
    seen, cursor = [], None
    while True:
        page = opened.stores.alerts.list(AlertFilter(), EVERYTHING, cursor=cursor, limit=5)
        seen += page.items
        if (cursor := page.next) is None:
            break
    assert len({alert.id for alert in seen}) == 23
    assert [alert.raised_at for alert in seen] == sorted((alert.raised_at for alert in seen), reverse=True)


def test_a_scope_hides_other_organisations(opened, make_event):
    [ours] = commit(opened, [finding(make_event(NOON, "1"))])
    commit(opened, [finding(make_event(NOON, "2", org="ninhbinh"))])
    stores = opened.stores
    assert [a.id for a in stores.alerts.list(AlertFilter(), HUNGYEN).items] == [ours]
    assert stores.alerts.counts(HUNGYEN)[Status.NEW] == 1
    assert sum(stores.alerts.by_rule(HUNGYEN).values()) == 1
    assert stores.alerts.list(AlertFilter(), Scope(frozenset())).items == ()
    with pytest.raises(NotFound):
        stores.alerts.get(ours, NINHBINH)
    with pytest.raises(NotFound):
        stores.alerts.findings(ours, NINHBINH)


def test_filters(opened, make_event):
    low = RuleDoc("r-2", "hash-2", "Scanner", "low", "")
    [a] = commit(opened, [finding(make_event(NOON, "1"))])
    [b] = commit(opened, [finding(make_event(NOON + DAY, "2"), rule=low, entity="10.1.1.1")], rule=low)
    opened.stores.triage.change(b, by="lan", now=NOON, status=Status.ACKNOWLEDGED, assignee="lan")

    def ids(**where):
        return [alert.id for alert in opened.stores.alerts.list(AlertFilter(**where), EVERYTHING).items]

    assert ids(status=Status.NEW) == [a]
    assert ids(status=Status.ACKNOWLEDGED) == [b]
    assert ids(level="low") == [b]
    assert ids(rule_id="r-1") == [a]
    assert ids(entity="10.1.1.1") == [b]
    assert ids(assignee="lan") == [b]
    assert ids(since=NOON + 1) == [b]
    assert ids(until=NOON + 1) == [a]
    assert ids(org="ninhbinh") == []


def test_a_bad_cursor_is_an_error_for_people(opened):
    for cursor in ("x", "!!!", "AAAA", "ÿ"):
        with pytest.raises(QueryError, match="cursor"):
            opened.stores.alerts.list(AlertFilter(), EVERYTHING, cursor=cursor)
        with pytest.raises(QueryError, match="cursor"):
            opened.stores.events.search(parse(""), EVERYTHING, cursor=cursor)


def test_the_rule_is_kept_as_it_was_when_it_fired(opened, make_event):
    commit(opened, [finding(make_event(NOON, "1"))])
    assert opened.stores.alerts.rule("hash-1") == RULE
    with pytest.raises(NotFound):
        opened.stores.alerts.rule("other")


def test_running_rules_are_published(opened):
    fault = RuleFault("unknown modifier", "rules/x.yml", 7)
    opened.detections.publish([RULE], [])
    opened.detections.publish([RULE, RULE], [fault])
    assert opened.stores.alerts.running() == ([RULE, RULE], [fault])


# Detections


def test_state_and_cursor_come_back_after_a_restart(opened, reopen):
    commit(opened, [], state={"a": (b"1", NOON), "b": (b"2", NOON + 10)}, cursor={"2026-03-02": 5, "undated": 1})
    commit(opened, [], state={"a": (b"3", NOON)}, cursor={"2026-03-02": 9, "2026-03-03": 1})
    again = reopen().detections
    assert (again.state_get("a"), again.state_get("b"), again.state_get("c")) == (b"3", b"2", None)
    assert again.cursor() == {"2026-03-02": 9, "2026-03-03": 1}


def test_state_expires_by_the_watermark(opened):
    commit(opened, [], state={"a": (b"1", NOON), "b": (b"2", NOON + 10)}, watermark=NOON + 1)
    assert (opened.detections.state_get("a"), opened.detections.state_get("b")) == (None, b"2")


def test_a_commit_that_fails_leaves_nothing(opened, make_event):
    with pytest.raises(KeyError):  # the second finding's rule is not given
        opened.detections.commit(
            [finding(make_event(NOON, "1")), finding(make_event(NOON, "2"), rule=RuleDoc("r", "other", "", "low", ""))],
            {RULE.hash: RULE}, {"a": (b"1", NOON)}, {"2026-03-02": 2}, None, NOON,
        )  # fmt: skip
    assert opened.detections.cursor() == {}
    assert opened.detections.state_get("a") is None
    assert opened.stores.alerts.list(AlertFilter(), EVERYTHING).items == ()
    assert commit(opened, [finding(make_event(NOON, "1"))])


# Triage


def test_triage_changes_are_recorded_with_who_and_when(opened, make_event):
    [id_] = commit(opened, [finding(make_event(NOON, "1"))])
    triage = opened.stores.triage
    triage.change(id_, by="lan", now=1, status=Status.ACKNOWLEDGED, assignee="lan")
    triage.change(id_, by="lan", now=2, comment="Đang gọi cho xã")
    closed = triage.change(
        id_, by="minh", now=3, status=Status.CLOSED, verdict=Verdict.TRUE_POSITIVE, comment="blocked"
    )
    assert (closed.status, closed.verdict, closed.assignee, closed.version) == ("closed", "true_positive", "lan", 3)
    assert [(c.at, c.by, c.field, c.old, c.new) for c in triage.history(id_)] == [
        (1, "lan", "status", "new", "acknowledged"),
        (1, "lan", "assignee", None, "lan"),
        (2, "lan", "comment", None, "Đang gọi cho xã"),
        (3, "minh", "status", "acknowledged", "closed"),
        (3, "minh", "verdict", None, "true_positive"),
        (3, "minh", "comment", None, "blocked"),
    ]
    assert opened.stores.alerts.get(id_, EVERYTHING).triage == closed
    assert opened.stores.alerts.counts(EVERYTHING)[Status.CLOSED] == 1


def test_two_people_who_change_one_alert_at_once(opened, make_event):
    [id_] = commit(opened, [finding(make_event(NOON, "1"))])
    opened.stores.triage.change(id_, by="lan", now=1, version=0, status=Status.ACKNOWLEDGED)
    with pytest.raises(Conflict, match="lan"):
        opened.stores.triage.change(id_, by="minh", now=2, version=0, status=Status.CLOSED, verdict=Verdict.BENIGN)
    assert opened.stores.alerts.get(id_, EVERYTHING).triage.status == Status.ACKNOWLEDGED


def test_reopening_clears_the_verdict_and_nothing_changed_is_no_change(opened, make_event):
    [id_] = commit(opened, [finding(make_event(NOON, "1"))])
    triage = opened.stores.triage
    triage.change(id_, by="lan", now=1, status=Status.CLOSED, verdict=Verdict.BENIGN)
    again = triage.change(id_, by="lan", now=2, status=Status.NEW)
    assert (again.status, again.verdict) == (Status.NEW, None)
    assert triage.change(id_, by="lan", now=3, status=Status.NEW).version == again.version


def test_new_findings_do_not_reopen_a_closed_alert(opened, make_event):
    [id_] = commit(opened, [finding(make_event(NOON, "1"))])
    opened.stores.triage.change(id_, by="lan", now=1, status=Status.CLOSED, verdict=Verdict.BENIGN)
    commit(opened, [finding(make_event(NOON + 1, "2"))])
    alert = opened.stores.alerts.get(id_, EVERYTHING)
    assert (alert.triage.status, alert.count) == (Status.CLOSED, 2)


# Events


def test_search_newest_first_with_bounds_and_cursor(opened, make_event):
    events = [make_event(NOON + i * DAY // 2, str(i), source__ip=f"10.0.0.{i % 3}") for i in range(12)]
    opened.buffer.append(events)
    store = opened.stores.events
    seen, cursor = [], None
    while True:
        page = store.search(parse("source.ip:10.0.0.1"), EVERYTHING, cursor=cursor, limit=3)
        seen += page.items
        if (cursor := page.next) is None:
            break
    assert seen == [e for e in reversed(events) if e.fields["source.ip"] == "10.0.0.1"]
    since, until = events[2].ts, events[5].ts
    assert list(store.search(parse(""), EVERYTHING, since=since, until=until).items) == [
        events[4],
        events[3],
        events[2],
    ]


def test_search_and_get_keep_to_the_scope(opened, make_event):
    ours, theirs = make_event(NOON, "1"), make_event(NOON, "2", org="ninhbinh")
    dead = make_event(0, "3", org="ninhbinh", event__kind="pipeline_error")
    opened.buffer.append([ours, theirs, dead])
    store = opened.stores.events
    assert list(store.search(parse(""), HUNGYEN).items) == [ours]
    assert [e.id for e in store.search(parse(""), NINHBINH).items] == [theirs.id, dead.id]
    assert store.many([ours.id, theirs.id, dead.id], HUNGYEN) == [ours]
    with pytest.raises(NotFound):
        store.get(theirs.id, HUNGYEN)
    with pytest.raises(NotFound):
        store.neighbours(theirs.id, HUNGYEN)
    for nonsense in ("", "zz", "f" * 32, "../../etc/passwd", "0" * 32):
        with pytest.raises(NotFound):
            store.get(nonsense, EVERYTHING)


def test_neighbours_are_of_the_same_source(opened, make_event):
    events = [make_event(NOON + i, str(i)) for i in range(9)]
    other = [make_event(NOON + i, f"o{i}", source="otp") for i in range(9)]
    opened.buffer.append([*events, *other])
    before, after = opened.stores.events.neighbours(events[4].id, EVERYTHING, each_side=2)
    assert before == events[2:4]
    assert after == events[5:7]


def test_neighbours_reach_over_midnight(opened, make_event):
    midnight = NOON + DAY // 2
    events = [make_event(midnight + i * 1000, str(i)) for i in (-2, -1, 0, 1)]
    opened.buffer.append(events)
    before, after = opened.stores.events.neighbours(events[2].id, EVERYTHING)
    assert (before, after) == (events[:2], events[3:])


# Sources, health, accounts, audit


def test_sources(opened, reopen):
    sources = opened.stores.sources
    before = sources.revision()
    portal = Source(
        "portal",
        "Cổng dịch vụ công",
        "hungyen",
        "nginx.access",
        Transport.FILE,
        ("/var/log/nginx/*.log",),
        created_at=5,
    )
    sources.add(portal, None, by="lan")
    push = Source("otp", "OTP", "ninhbinh", "otp.gateway", Transport.PUSH)
    sources.add(push, "digest", by="lan")
    with pytest.raises(Conflict):
        sources.add(portal, None, by="lan")
    again = reopen().stores.sources
    assert again.revision() > before
    assert again.get("portal", HUNGYEN) == portal
    assert again.by_token("digest") == push
    assert again.by_token("other") is None
    assert again.list(HUNGYEN) == [portal]
    with pytest.raises(NotFound):
        again.get("portal", NINHBINH)
    at = again.revision()
    again.set_enabled("otp", False, by="lan")
    assert again.by_token("digest") is None
    assert again.revision() > at
    with pytest.raises(NotFound):
        again.set_enabled("nope", True, by="lan")


def test_a_token_is_renewed_and_revoked(opened, reopen):
    sources = opened.stores.sources
    otp = Source("otp", "OTP", "ninhbinh", "otp.gateway", Transport.PUSH)
    sources.add(otp, "first", by="lan")
    at = sources.revision()
    sources.set_token("otp", "second", by="lan")
    again = reopen().stores.sources
    assert again.by_token("first") is None
    assert again.by_token("second") == otp
    assert again.revision() > at
    sources.set_token("otp", None, by="lan")
    assert again.by_token("second") is None
    assert again.get("otp", EVERYTHING) == otp
    with pytest.raises(NotFound):
        sources.set_token("nope", "third", by="lan")
    done = [(entry.action, entry.target, entry.by) for entry in opened.stores.audit.recent(2)]
    assert done == [("source.revoke", "otp", "lan"), ("source.token", "otp", "lan")]


def test_health(opened, reopen):
    opened.stores.health.report([SourceHealth("portal", NOON, NOON, 5, 1, 0.5)])
    opened.stores.health.report(
        [SourceHealth("portal", NOON, NOON + 1, 6, 1, 0.5, "cannot read"), SourceHealth("x", None, None, 0, 0, 0)]
    )
    seen = SourceHealth("full", NOON, NOON, 5, 1, 0.5, None, 0.25, "the line is not JSON", -7000, 2, NOON - 1)
    opened.stores.health.report([seen])
    health = reopen().stores.health.health()
    assert health["full"] == seen
    assert health["portal"].records == 6
    assert health["portal"].problem == "cannot read"
    assert health["x"].last_event is None
    reopen().stores.health.report([SourceHealth(name, None, None, 0, 0, 0.0) for name in ("portal", "full")])
    full = opened.stores.health.health()["full"]
    assert (full.dead_reason, full.lag_ms, full.last_refused) == ("the line is not JSON", -7000, NOON - 1)
    assert (full.dead_rate, full.refused) == (0.0, 0)
    again = opened.stores.health.health()["portal"]
    assert (again.last_event, again.last_received, again.records) == (NOON, NOON + 1, 0), (
        "a restart forgets nothing that was seen"
    )


def test_accounts_keys_and_sessions(opened, reopen):
    accounts = opened.stores.accounts
    assert accounts.empty()
    lan = Account("lan", Role.ANALYST, HUNGYEN)
    accounts.put(lan, "argon", by="setup")
    accounts.put(Account("admin", Role.ADMIN, EVERYTHING), None, by="setup")
    accounts.add_key("lan", "key-digest", "script", by="lan")
    accounts.add_key("lan", "other-digest", "old", by="lan")
    assert accounts.drop_keys("lan", by="admin") == 2
    assert accounts.by_key("other-digest") is None
    accounts.add_key("lan", "key-digest", "script", by="lan")
    accounts.open_session("lan", "session-digest", now=10, expires=20)
    again = reopen().stores.accounts
    assert not again.empty()
    assert again.get("lan") == lan
    assert [a.name for a in again.list()] == ["admin", "lan"]
    assert again.password_hash("lan") == "argon"
    assert again.password_hash("nobody") is None
    assert again.by_key("key-digest") == lan
    assert again.by_session("session-digest", now=19) == lan
    assert again.by_session("session-digest", now=20) is None
    accounts.put(lan, None, by="admin")
    assert again.password_hash("lan") == "argon"
    assert again.by_session("session-digest", now=19) == lan
    accounts.put(lan, "new", by="admin")
    assert again.by_session("session-digest", now=19) is None
    accounts.open_session("lan", "second", now=10, expires=20)
    accounts.close_session("second")
    assert again.by_session("second", now=11) is None
    accounts.put(Account("lan", Role.ANALYST, HUNGYEN, disabled=True), None, by="admin")
    assert again.by_key("key-digest") is None
    assert again.password_hash("lan") is None


def test_audit(opened):
    for i in range(3):
        opened.stores.audit.record(AuditEntry(i, "lan", "sign-in", "lan", ""))
    assert [entry.at for entry in opened.stores.audit.recent(2)] == [2, 1]
    opened.stores.accounts.put(Account("lan", Role.ANALYST, HUNGYEN), None, by="admin")
    [entry] = opened.stores.audit.recent(1)
    assert (entry.by, entry.action, entry.target) == ("admin", "account.put", "lan")
    assert entry.at > NOON, "the clock of the store"


# Policies


def laid_down(version, body, id_="vpn-scanner", by="lan", at=NOON):
    return Policy(PolicyKind.EXCEPTION, id_, version, body, by, at, "our own scanner")


def test_every_version_of_a_policy_is_kept(opened, reopen):
    policies = opened.stores.policies
    first, second = (
        laid_down(1, {"entity": "10.0.0.1"}),
        laid_down(2, {"entity": "10.0.0.2", "list": ["a", 1]}, by="minh"),
    )
    other = laid_down(1, {}, id_="another")
    before = policies.revision()
    for policy in (first, second, other):
        policies.put(policy)
    again = reopen().stores.policies
    assert again.revision() > before
    assert again.get(PolicyKind.EXCEPTION, "vpn-scanner") == second
    assert again.history(PolicyKind.EXCEPTION, "vpn-scanner") == [first, second]
    assert again.list(PolicyKind.EXCEPTION) == [other, second]
    assert again.list(PolicyKind.ROUTE) == again.history(PolicyKind.ROUTE, "vpn-scanner") == []
    with pytest.raises(NotFound):
        again.get(PolicyKind.ROUTE, "vpn-scanner")


def test_a_policy_that_is_withdrawn_is_no_longer_listed_and_may_come_back(opened):
    policies = opened.stores.policies
    for version, body in ((1, {"a": 1}), (2, None)):
        policies.put(laid_down(version, body))
    assert policies.list(PolicyKind.EXCEPTION) == []
    assert policies.get(PolicyKind.EXCEPTION, "vpn-scanner").body is None
    policies.put(laid_down(3, {"a": 2}))
    assert [policy.version for policy in policies.list(PolicyKind.EXCEPTION)] == [3]


def test_two_people_who_change_one_policy_at_once(opened):
    policies = opened.stores.policies
    policies.put(laid_down(1, {"a": 1}))
    policies.put(laid_down(1, {"a": 1}))  # the same again: its first answer was lost
    with pytest.raises(Conflict, match="lan"):
        policies.put(laid_down(1, {"a": 2}, by="minh"))
    with pytest.raises(Conflict):
        policies.put(laid_down(3, {"a": 2}))
    assert policies.history(PolicyKind.EXCEPTION, "vpn-scanner") == [laid_down(1, {"a": 1})]


def test_a_policy_without_a_name_or_without_end_is_refused(opened):
    for policy in (laid_down(1, {}, id_=""), laid_down(1, {}, id_="ư" * 201), laid_down(1, {"a": "x" * 70_000})):
        with pytest.raises(ConfigError):
            opened.stores.policies.put(policy)
