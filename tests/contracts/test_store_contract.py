"""What every store must do."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from opened import NOON, RULE, commit, finding

from soc.errors import ConfigError, Conflict, NotFound, QueryError
from soc.model.account import Account, Role
from soc.model.alert import Decision, Status, Verdict
from soc.model.canary import Canary, Life
from soc.model.delivery import Delivery, DeliveryState, delivery_id
from soc.model.event import iso
from soc.model.finding import finding_id
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleCost, RuleDoc, RuleFault, RulesInForce, Stage
from soc.model.silence import Outage, outage_id
from soc.model.source import Source, SourceHealth, Transport
from soc.model.tuning import Hidden
from soc.query.parse import parse
from soc.store.base import AlertFilter, AuditEntry

HUNGYEN, NINHBINH = Scope(frozenset({"hungyen"})), Scope(frozenset({"ninhbinh"}))
DAY = 86_400_000


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


def test_folded_events_are_reached_by_time_and_one_by_its_id(opened, make_event):
    events = [make_event(NOON + i * 1000, str(i)) for i in range(25)]
    [alert] = commit(opened, [finding(e) for e in events])
    [other] = commit(opened, [finding(events[3], entity="192.0.2.1")])
    alerts = opened.stores.alerts

    def found(since, **more):
        return [f.event_id for f in alerts.findings(alert, EVERYTHING, since=since, limit=20, **more).items]

    assert found(NOON + 20_000) == [event.id for event in events[20:]]
    assert found(NOON + 20_001) == [event.id for event in events[21:]]
    assert found(-5) == [event.id for event in events[:20]]
    more = alerts.findings(alert, EVERYTHING, since=NOON + 2000, limit=20).next
    assert found(NOON + 2000, cursor=more) == [event.id for event in events[22:]]
    one = alerts.finding(other, events[3].id, HUNGYEN)
    assert (one.alert_id, one.event_id, one.rule_hash, one.entity) == (other, events[3].id, RULE.hash, "192.0.2.1")
    for event_id, scope in ((events[4].id, EVERYTHING), (events[3].id, NINHBINH), ("", EVERYTHING)):
        with pytest.raises(NotFound):
            alerts.finding(other, event_id, scope)


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
    opened.stores.triage.change(b, Decision(status=Status.ACKNOWLEDGED, assignee="lan"), by="lan", now=NOON)

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


def test_what_a_rule_in_test_raises_is_kept_out_of_everything_that_does_not_ask_for_it(opened, reopen, make_event):
    [live] = commit(opened, [finding(make_event(NOON, "1"))])
    tested = replace(finding(make_event(NOON, "2"), entity="10.0.0.2"), stage=Stage.TEST, level="low")
    [test] = commit(opened, [tested], now=NOON + 5)
    alerts = reopen().stores.alerts
    assert [alert.id for alert in alerts.list(AlertFilter(), EVERYTHING).items] == [live]
    assert [alert.id for alert in alerts.list(AlertFilter(stage=Stage.TEST), EVERYTHING).items] == [test]
    assert {alert.id for alert in alerts.list(AlertFilter(stage=None), EVERYTHING).items} == {live, test}
    assert alerts.counts(EVERYTHING)[Status.NEW] == 1
    assert alerts.by_rule(EVERYTHING) == alerts.by_rule(EVERYTHING, stage=Stage.TEST) == {"r-1": 1}
    assert alerts.by_rule(EVERYTHING, since=NOON + 1) == {}
    assert alerts.by_rule(EVERYTHING, stage=Stage.TEST, since=NOON + 5) == {"r-1": 1}
    assert (alerts.get(test, EVERYTHING).stage, alerts.get(test, EVERYTHING).level) == (Stage.TEST, "low")
    assert (alerts.get(live, EVERYTHING).stage, alerts.get(live, EVERYTHING).level) == (Stage.LIVE, "high")


def test_what_was_hidden_adds_up_and_keeps_to_the_scope(opened, reopen):
    ours, theirs = Hidden("r-1", "x", "hungyen", "2026-03-02", 3), Hidden("r-1", "x", "ninhbinh", "2026-03-02", 1)
    commit(opened, [], hidden=[ours, theirs], cursor={"a": 1})
    commit(opened, [], hidden=[ours, replace(ours, day="2026-03-03", rule_id="r-2")], cursor={"a": 2})
    alerts = reopen().stores.alerts
    everything = [replace(ours, events=6), theirs, replace(ours, day="2026-03-03", rule_id="r-2")]
    assert list(alerts.hidden(EVERYTHING, since="2026-03-01")) == everything
    assert list(alerts.hidden(HUNGYEN, since="2026-03-01", rule_id="r-1")) == everything[:1]
    assert list(alerts.hidden(EVERYTHING, since="2026-03-03")) == everything[2:]
    assert list(alerts.hidden(Scope(frozenset()), since="")) == []


def test_what_was_hidden_long_ago_is_forgotten_once_a_day(opened, reopen):
    old, kept = Hidden("r-1", "x", "hungyen", "2025-01-24", 3), Hidden("r-1", "x", "hungyen", "2025-01-27", 3)

    def hidden():
        return list(reopen().stores.alerts.hidden(EVERYTHING, since=""))

    commit(opened, [], hidden=[old, kept], cursor={"a": 1}, now=NOON - 2 * DAY)
    assert hidden() == [old, kept]
    commit(opened, [], cursor={"a": 2}, now=NOON - DAY - 1)
    assert hidden() == [old, kept]
    commit(opened, [], cursor={"a": 3}, now=NOON)
    assert hidden() == [kept]
    commit(opened, [], hidden=[kept], cursor={"a": 4}, now=NOON)
    assert hidden() == [replace(kept, events=6)]


def test_several_alerts_by_id_keep_to_the_scope(opened, make_event):
    raised = [
        commit(opened, [finding(make_event(NOON, str(n), org=org), entity=f"10.0.0.{n}")])[0]
        for n, org in enumerate(["hungyen", "hungyen", "ninhbinh"])
    ]
    alerts = opened.stores.alerts
    asked = [*raised[1:], "0" * 24]
    assert alerts.several(asked, EVERYTHING) == {id_: alerts.get(id_, EVERYTHING) for id_ in raised[1:]}
    assert alerts.several(asked, HUNGYEN) == {raised[1]: alerts.get(raised[1], EVERYTHING)}
    assert alerts.several([], EVERYTHING) == alerts.several(raised, Scope(frozenset())) == {}


def test_verdicts_by_rule(opened, make_event):
    for n, verdict in enumerate([Verdict.FALSE_POSITIVE, Verdict.FALSE_POSITIVE, Verdict.TRUE_POSITIVE, None]):
        [id_] = commit(opened, [finding(make_event(NOON, str(n)), entity=f"10.0.0.{n}")])
        if verdict:
            opened.stores.triage.change(id_, Decision(status=Status.CLOSED, verdict=verdict), by="lan", now=1)
    assert opened.stores.alerts.verdicts(EVERYTHING) == {"r-1": {Verdict.FALSE_POSITIVE: 2, Verdict.TRUE_POSITIVE: 1}}
    assert opened.stores.alerts.verdicts(HUNGYEN) == opened.stores.alerts.verdicts(EVERYTHING)
    assert opened.stores.alerts.verdicts(NINHBINH) == opened.stores.alerts.verdicts(Scope(frozenset())) == {}


def test_counts_are_those_of_the_alerts_whatever_was_decided(opened, make_event):
    rng, stores = random.Random(5), opened.stores
    raised = []
    for n in range(40):
        event = make_event(NOON, str(n), org=rng.choice(["hungyen", "ninhbinh"]))
        found = replace(finding(event, entity=f"10.0.0.{n}"), stage=rng.choice([Stage.LIVE, Stage.LIVE, Stage.TEST]))
        raised += commit(opened, [found])
    for n in range(80):
        status = rng.choice([None, *Status])
        verdict = rng.choice(list(Verdict)) if status is Status.CLOSED else None
        decision = Decision(status=status, verdict=verdict, assignee=f"an{n}")
        stores.triage.change(rng.choice(raised), decision, by="lan", now=n)
    for scope in (EVERYTHING, HUNGYEN, NINHBINH, Scope(frozenset())):
        alerts = stores.alerts.list(AlertFilter(), scope, limit=100).items
        assert Counter(alert.triage.status for alert in alerts) == Counter(stores.alerts.counts(scope))
        assert Counter(alert.rule_id for alert in alerts) == stores.alerts.by_rule(scope)
        left = [alert for alert in alerts if alert.triage.status is not Status.CLOSED]
        assert stores.alerts.unclosed(scope) == Counter((alert.org, alert.rule_id) for alert in left)
        for time in {0, 1 << 50, *(alert.raised_at for alert in alerts)}:
            before = sum(alert.raised_at < time for alert in left)
            assert stores.alerts.unclosed_before(time, scope) == before
        verdicts = Counter(alert.triage.verdict for alert in alerts if alert.triage.verdict)
        assert stores.alerts.verdicts(scope) == ({"r-1": verdicts} if verdicts else {})


def test_what_a_rule_found_comes_in_pages_with_each_alert_together(opened, make_event):
    events = [make_event(NOON + i, str(i)) for i in range(23)]
    found = [finding(event, entity=f"10.0.0.{i % 4}", url__path="/x") for i, event in enumerate(events)]
    tested = replace(found[22], stage=Stage.TEST, alert_id="f" * 24, id=finding_id("f" * 24, events[22].id))
    other = RuleDoc("r-2", "hash-2", "Scanner", "low", "")
    commit(opened, [*found[:22], tested])
    commit(opened, [finding(events[0], rule=other)], rule=other)
    commit(opened, [finding(make_event(NOON, "there", org="ninhbinh"))])
    seen, cursor = [], None
    while True:
        page = opened.stores.alerts.of_rule("r-1", HUNGYEN, since=NOON + 2, cursor=cursor, limit=6)
        seen += page.items
        if (cursor := page.next) is None:
            break
    assert [(one.alert_id, one.event_id) for one in seen] == sorted(
        (one.alert_id, one.event_id) for one in [*found[2:22], tested]
    )
    assert seen[0].matched == found[0].matched
    assert opened.stores.alerts.of_rule("r-1", Scope(frozenset()), since=0).items == ()
    with pytest.raises(QueryError, match="cursor"):
        opened.stores.alerts.of_rule("r-1", EVERYTHING, since=0, cursor="!!!")


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


def test_since_when_rules_run_is_published_with_them(opened, reopen):
    assert opened.stores.alerts.in_force() is None
    began = RulesInForce("ab12", 1, NOON, NOON + 1)
    opened.detections.publish([RULE], [], began)
    assert opened.stores.alerts.in_force() == began
    opened.detections.publish([RULE], [], replace(began, loading_since=NOON + 5))
    assert reopen().stores.alerts.in_force() == replace(began, loading_since=NOON + 5)
    assert opened.stores.alerts.running() == ([RULE], [])


def test_canaries_are_published_in_place_of_those_before(opened, reopen):
    alive, blind = Canary("r-1", Life.ALIVE, NOON), Canary("r-2", Life.BLIND, NOON, "why")
    assert opened.stores.alerts.canaries() == {}
    opened.detections.publish_canaries([alive, blind])
    assert reopen().stores.alerts.canaries() == {"r-1": alive, "r-2": blind}
    opened.detections.publish_canaries([replace(alive, at=NOON + 1)])
    assert reopen().stores.alerts.canaries() == {"r-1": replace(alive, at=NOON + 1)}


def test_costs_are_published_in_place_of_those_before(opened, reopen):
    dear, cheap = RuleCost("r-1", 7, 0.00125), RuleCost("r-2", 1, 1e-6)
    opened.detections.publish_costs([dear, cheap])
    assert reopen().stores.alerts.costs() == {"r-1": dear, "r-2": cheap}
    opened.detections.publish_costs([cheap])
    assert reopen().stores.alerts.costs() == {"r-2": cheap}


def test_rules_that_run_again_are_published_again(opened):
    """What is written only when it is new has to be written when it is new."""
    other = replace(RULE, hash="h2", title="another")
    for rules in ([RULE], [other], [other], [RULE]):
        opened.detections.publish(rules, [])
        assert opened.stores.alerts.running() == (rules, [])


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
    triage.change(id_, Decision(status=Status.ACKNOWLEDGED, assignee="lan"), by="lan", now=1)
    triage.change(id_, Decision(comment="Đang gọi cho xã"), by="lan", now=2)
    closed = triage.change(
        id_, Decision(status=Status.CLOSED, verdict=Verdict.TRUE_POSITIVE, comment="blocked"), by="minh", now=3
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
    opened.stores.triage.change(id_, Decision(version=0, status=Status.ACKNOWLEDGED), by="lan", now=1)
    with pytest.raises(Conflict, match="lan"):
        opened.stores.triage.change(
            id_, Decision(version=0, status=Status.CLOSED, verdict=Verdict.BENIGN), by="minh", now=2
        )
    assert opened.stores.alerts.get(id_, EVERYTHING).triage.status == Status.ACKNOWLEDGED


def test_two_people_who_click_at_the_same_moment(opened, reopen, make_event):
    [id_] = commit(opened, [finding(make_event(NOON, "1"))])
    people = {name: reopen().stores.triage for name in ("lan", "minh")}  # each in a process of their own
    winners = []
    for version in range(10):
        at_once = Barrier(2)

        def click(name: str, version: int = version, at_once: Barrier = at_once) -> str:
            at_once.wait(30)
            try:
                people[name].change(id_, Decision(version=version, comment=f"mine, says {name}"), by=name, now=version)
            except Conflict as told:
                return str(told)
            return "done"

        with ThreadPoolExecutor(2) as pool:
            said = dict(zip(people, pool.map(click, people), strict=True))
        winner, loser = sorted(people, key=lambda name: said[name] != "done")
        assert said == {
            winner: "done",
            loser: f"{winner} changed this alert meanwhile: look at it again, then decide",
        }
        winners.append(winner)
    assert [(change.by, change.new) for change in opened.stores.triage.history(id_)] == [
        (name, f"mine, says {name}") for name in winners
    ]
    assert opened.stores.alerts.get(id_, EVERYTHING).triage.version == 10


def test_reopening_clears_the_verdict_and_nothing_changed_is_no_change(opened, make_event):
    [id_] = commit(opened, [finding(make_event(NOON, "1"))])
    triage = opened.stores.triage
    triage.change(id_, Decision(status=Status.CLOSED, verdict=Verdict.BENIGN), by="lan", now=1)
    again = triage.change(id_, Decision(status=Status.NEW), by="lan", now=2)
    assert (again.status, again.verdict) == (Status.NEW, None)
    assert triage.change(id_, Decision(status=Status.NEW), by="lan", now=3).version == again.version


def test_new_findings_do_not_reopen_a_closed_alert(opened, make_event):
    [id_] = commit(opened, [finding(make_event(NOON, "1"))])
    opened.stores.triage.change(id_, Decision(status=Status.CLOSED, verdict=Verdict.BENIGN), by="lan", now=1)
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
    assert store.many([ours.id, "zz", ours.id.upper(), ours.id], EVERYTHING) == [ours]
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


def test_an_event_with_a_thousand_unknown_fields_is_found_by_any_of_them(opened, make_event):
    strange = {f"partner__v{i % 7}__field_{i}": f"value {i}" for i in range(1000)}
    event = make_event(NOON, "1", url__path="/nop-ho-so", **strange)
    opened.buffer.append([event, make_event(NOON + 1, "2")])
    for query in ('partner.v5.field_999:"value 999"', "partner.v0.field_0:value*", "partner.v2.field_443:*"):
        assert list(opened.stores.events.search(parse(query), EVERYTHING).items) == [event], query
    assert list(opened.stores.events.search(parse('partner.v5.field_999:"value 1"'), EVERYTHING).items) == []


@pytest.mark.parametrize("claimed", ["1999-05-05T00:00:00.000Z", "2999-05-05T00:00:00.000Z"])
def test_an_event_of_an_implausible_time_shows_both_times_and_is_found_by_each(opened, make_event, claimed):
    times = {"@timestamp": claimed, "event__created": iso(NOON)}
    event = make_event(0, "1", event__kind="pipeline_error", error__message="implausible time", **times)
    opened.buffer.append([event, make_event(NOON, "2")])
    store = opened.stores.events
    assert store.get(event.id, EVERYTHING).fields == event.fields
    shown = store.search(parse("event.kind:pipeline_error"), EVERYTHING).items[0].fields
    assert (shown["@timestamp"], shown["event.created"]) == (claimed, iso(NOON))
    for query in (f'@timestamp:"{claimed}"', f'event.created:"{iso(NOON)}"'):
        assert list(store.search(parse(query), EVERYTHING).items) == [event], query


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


def test_units_differ_by_more_than_capitals(opened):
    sources = opened.stores.sources
    portal = Source("portal", "Portal", "H29.01", "nginx.access", Transport.FILE, ("/var/log/nginx/*.log",))
    sources.add(portal, None, by="lan")
    sources.add(replace(portal, id="same", org="H29"), None, by="lan")
    sources.add(replace(portal, id="other", org="H2"), None, by="lan")
    with pytest.raises(Conflict, match=r"the unit h29, and there is H29 already: .* write H29\.02"):
        sources.add(replace(portal, id="small", org="h29.02"), None, by="lan")
    assert [source.id for source in sources.list(EVERYTHING)] == ["other", "portal", "same"]


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
    done = [(entry.action, entry.target, entry.by) for entry in opened.stores.audit.list(limit=2).items]
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
    assert [entry.at for entry in opened.stores.audit.list(limit=2).items] == [2, 1]
    opened.stores.accounts.put(Account("lan", Role.ANALYST, HUNGYEN), None, by="admin")
    [entry] = opened.stores.audit.list(limit=1).items
    assert (entry.by, entry.action, entry.target) == ("admin", "account.put", "lan")
    assert entry.at > NOON, "the clock of the store"


# Outages


def outage(source="portal", since=NOON, org="hungyen", noticed_at=NOON + 900_000):
    return Outage(outage_id(source, since), source, org, since, noticed_at, ("r-1", "r-2"))


def test_an_outage_opens_once_and_clears_once_whoever_notices_it(opened, reopen):
    first = outage()
    other = reopen().stores.outages
    assert opened.stores.outages.open(first) is True
    assert other.open(replace(first, noticed_at=NOON + 1_000_000, blind=())) is False
    assert other.list(EVERYTHING, since=0) == [first]
    assert other.clear(first.id, NOON + 2_000_000) is True
    assert opened.stores.outages.clear(first.id, NOON + 2_000_001) is False
    assert opened.stores.outages.clear("f" * 24, NOON) is False
    cleared = replace(first, cleared_at=NOON + 2_000_000)
    assert opened.stores.outages.list(EVERYTHING, since=NOON + 2_000_000) == [cleared]
    assert opened.stores.outages.list(EVERYTHING, since=NOON + 2_000_001) == []
    assert other.open(replace(first, noticed_at=NOON + 3_000_000)) is True
    assert other.list(EVERYTHING, since=NOON + 9_000_000) == [first]


def test_outages_that_are_long_over_are_forgotten_and_no_others(opened):
    outages = opened.stores.outages
    over, later, still = outage(), outage("otp"), outage("gateway", since=0, noticed_at=1)
    for one in (over, later, still):
        outages.open(one)
    outages.clear(over.id, NOON + 1)
    outages.clear(later.id, NOON + 2)
    assert outages.drop(NOON + 1) == 0
    assert outages.drop(NOON + 2) == 1
    assert {o.id for o in outages.list(EVERYTHING, since=0)} == {later.id, still.id}
    assert outages.drop(NOON + 2) == 0


def test_outages_are_listed_latest_first_inside_the_scope(opened):
    ours, later = outage(), outage("otp", noticed_at=NOON + 1_000_000)
    theirs = outage("gateway", org="ninhbinh")
    for one in (ours, theirs, later):
        opened.stores.outages.open(one)
    assert opened.stores.outages.list(HUNGYEN, since=0) == [later, ours]
    assert opened.stores.outages.list(NINHBINH, since=0) == [theirs]
    assert opened.stores.outages.list(Scope(frozenset()), since=0) == []
    assert len(opened.stores.outages.list(EVERYTHING, since=0)) == 3


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


def test_policies_begun_together_leave_those_that_there_are(opened, reopen):
    policies = opened.stores.policies
    for version, id_ in ((1, "withdrawn"), (1, "changed"), (2, "changed")):
        policies.put(laid_down(version, {"by": "a person"}, id_=id_))
    policies.put(laid_down(2, None, id_="withdrawn"))
    before = policies.revision()
    begun = [laid_down(1, {"n": n}, id_=f"r{n}") for n in range(1200)]
    begun += [laid_down(1, {}, id_="withdrawn"), laid_down(1, {}, id_="changed")]
    assert policies.begin(begun) == 1200
    assert policies.begin(begun) == policies.begin([]) == 0
    again = reopen().stores.policies
    assert again.revision() == before + 1200
    kept = {policy.id: policy for policy in again.list(PolicyKind.EXCEPTION)}
    assert len(kept) == 1201
    assert kept["r7"] == begun[7]
    assert kept["changed"].version == 2
    with pytest.raises(ConfigError):
        policies.begin([laid_down(1, {}, id_="good"), laid_down(1, {}, id_="")])
    with pytest.raises(NotFound):
        policies.get(PolicyKind.EXCEPTION, "good")


def test_a_policy_without_a_name_or_without_end_is_refused(opened):
    for policy in (laid_down(1, {}, id_=""), laid_down(1, {}, id_="ư" * 201), laid_down(1, {"a": "x" * 70_000})):
        with pytest.raises(ConfigError):
            opened.stores.policies.put(policy)


# Deliveries


def delivery(n, route="route-a", org="hungyen", created_at=NOON, **changed):
    id_ = delivery_id(route, f"alert-{n}", "raised")
    return replace(
        Delivery(id_, route, f"alert-{n}", org, "raised", created_at + n, created_at + n, created_at + DAY), **changed
    )


def test_a_delivery_made_twice_is_one(opened, reopen):
    deliveries, first, second = opened.stores.deliveries, delivery(1), delivery(2)
    assert deliveries.add([]) == 0
    assert deliveries.add([first]) == 1
    assert deliveries.add([second, first]) == 1
    again = reopen().stores.deliveries
    assert again.pending("route-a") == [first, second]
    assert again.pending("route-a", limit=1) == [first]
    assert again.get(first.id, HUNGYEN) == first
    assert again.waiting() == {"route-a": 2}
    assert again.pending("route-b") == []


def test_of_two_who_claim_a_delivery_one_gets_it(opened, reopen):
    mine, theirs = opened.stores.deliveries, reopen().stores.deliveries
    mine.add([delivery(1), delivery(2)])
    [first, second] = theirs.pending("route-a")
    [claimed] = mine.update([replace(first, claimed_until=NOON + 1)])
    assert (claimed.version, claimed.claimed_until) == (2, NOON + 1)
    assert theirs.update([replace(first, claimed_until=NOON + 9), replace(second, claimed_until=NOON + 9)]) == [
        replace(second, claimed_until=NOON + 9, version=2)
    ]
    [sent] = mine.update([replace(claimed, state=DeliveryState.SENT, sent_at=NOON, message="m")])
    assert theirs.get(first.id, EVERYTHING) == sent
    assert theirs.update([replace(first, error="late")]) == []
    assert mine.add([delivery(1)]) == 0, "what was sent is not made again"


def test_deliveries_are_listed_by_state_newest_first_inside_the_scope(opened):
    deliveries = opened.stores.deliveries
    failed = [delivery(n, state=DeliveryState.FAILED, error="away", attempts=9) for n in range(5)]
    other = delivery(9, route="route-b", state=DeliveryState.FAILED)
    foreign = delivery(7, org="ninhbinh", state=DeliveryState.FAILED)
    deliveries.add([*failed, other, foreign, delivery(8)])
    seen, cursor = [], None
    while True:
        page = deliveries.list(DeliveryState.FAILED, HUNGYEN, routes={"route-a"}, cursor=cursor, limit=2)
        seen += page.items
        if (cursor := page.next) is None:
            break
    assert seen == failed[::-1]
    assert [found.id for found in deliveries.list(DeliveryState.FAILED, EVERYTHING).items] == [
        other.id,
        foreign.id,
        *(d.id for d in reversed(failed)),
    ]
    assert deliveries.list(DeliveryState.FAILED, EVERYTHING, routes=()).items == ()
    assert deliveries.list(DeliveryState.SENT, EVERYTHING).items == ()
    with pytest.raises(NotFound):
        deliveries.get(foreign.id, HUNGYEN)
    with pytest.raises(NotFound):
        deliveries.get("nope", EVERYTHING)


def test_messages_are_counted_and_what_is_finished_is_dropped(opened):
    deliveries = opened.stores.deliveries
    sent = [
        delivery(n, state=DeliveryState.SENT, sent_at=NOON + n, message=message)
        for n, message in enumerate(("m1", "m2", "m2", "m3"))
    ]
    failed, waiting = delivery(10, state=DeliveryState.FAILED), delivery(11)
    assert deliveries.messages("route-a", 0) == 0
    deliveries.add([*sent, failed, waiting])
    assert deliveries.messages("route-a", NOON) == 3
    assert deliveries.messages("route-a", NOON + 2) == 2
    assert deliveries.messages("route-b", NOON) == 0
    partly = delivery(20, route="route-b", state=DeliveryState.FAILED, sent_at=NOON, message="m4")
    again = delivery(21, route="route-b", sent_at=NOON, message="")
    deliveries.add([partly, again])
    assert deliveries.messages("route-b", NOON) == 2, "what some receivers have, and what is sent once more"
    assert deliveries.update([replace(again, state=DeliveryState.SENT)])
    assert deliveries.drop(NOON + 3) == 3
    assert deliveries.drop(NOON + 3) == 0
    assert deliveries.drop(NOON + DAY) == 4
    assert deliveries.waiting() == {"route-a": 1}
