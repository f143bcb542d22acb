"""What people do with incidents, in every store: whatever cuts an act and whoever acts at the same time, doing it again finishes it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import count

import pytest
from interrupted import Killed, interrupted
from opened import NOON, commit, finding

from api.errors import Refused
from api.incidents import Desk
from soc.errors import Conflict, NotFound
from soc.model.account import Account, Role
from soc.model.alert import Decision, Status, Verdict
from soc.model.incident import IncidentDecision, IncidentStatus
from soc.model.org import EVERYTHING, Scope
from soc.store.base import AlertFilter, Stores

LAN = Account("lan", Role.ANALYST, EVERYTHING)
MINH = Account("minh", Role.ANALYST, EVERYTHING)
CLOSE = IncidentDecision(status=IncidentStatus.CLOSED, verdict=Verdict.TRUE_POSITIVE, comment="đã chặn")
REOPEN = IncidentDecision(status=IncidentStatus.OPEN)


@dataclass
class Case:
    """Two incidents, `one` of two alerts and `two` of one, and a free alert; all of different organisations but the first two."""

    stores: Stores
    alerts: list[str]
    one: str
    two: str
    new: str

    def desk(self, account=LAN, stores=None):
        return Desk(stores or self.stores, account, NOON + 5, None)

    def members(self):
        """By incident, the places of its alerts in `alerts`: as the lists say, checked against what each alert says."""
        found = {}
        for name in ("one", "two", "new"):
            listed = self.stores.alerts.list(AlertFilter(incident=getattr(self, name)), EVERYTHING).items
            for alert in listed:
                assert alert.triage.incident == getattr(self, name)
                assert alert.org in self.stores.incidents.get(getattr(self, name), EVERYTHING).orgs
            found[name] = sorted(self.alerts.index(alert.id) for alert in listed)
        for place, id_ in enumerate(self.alerts):
            at = self.stores.alerts.get(id_, EVERYTHING).triage.incident
            assert [getattr(self, name) for name, places in found.items() if place in places] == ([at] if at else [])
        return found

    def states(self):
        return [self.stores.alerts.get(id_, EVERYTHING).triage.status for id_ in self.alerts]

    def lines(self, field_="incident"):
        return [len([c for c in self.stores.triage.history(id_) if c.field == field_]) for id_ in self.alerts]


@pytest.fixture
def case_of(opened, make_event):
    numbers = count(1)

    def make():
        number = next(numbers)
        orgs = ("hungyen", "hungyen", "ninhbinh", "caobang")
        findings = [
            finding(make_event(NOON, f"{number}.{n}", org=org), entity=f"10.0.{number}.{n}")
            for n, org in enumerate(orgs)
        ]
        commit(opened, findings)
        alerts = [found.alert_id for found in findings]
        case = Case(opened.stores, alerts, *(f"{number:020x}{n:04x}" for n in (1, 2, 3)))
        case.desk().open(case.one, "Sự cố", alerts[:2])
        case.desk().open(case.two, "Sự cố khác", alerts[2:3])
        return case

    return make


def acts(case):
    """Each act, and by incident which alerts there are afterwards."""
    one, two, new, a = case.one, case.two, case.new, case.alerts
    return {
        "open": (lambda desk: desk.open(new, "Mới", [a[3]]), {"one": [0, 1], "two": [2], "new": [3]}),
        "add": (lambda desk: desk.add(one, [a[3]]), {"one": [0, 1, 3], "two": [2], "new": []}),
        "remove": (lambda desk: desk.remove(one, [a[0], a[1]]), {"one": [], "two": [2], "new": []}),
        "merge": (lambda desk: desk.merge(one, two), {"one": [], "two": [0, 1, 2], "new": []}),
        "split": (lambda desk: desk.split(one, [a[1]], new, "Riêng"), {"one": [0], "two": [2], "new": [1]}),
        "close": (lambda desk: desk.decide(one, CLOSE), {"one": [0, 1], "two": [2], "new": []}),
    }


ACTS = ["open", "add", "remove", "merge", "split", "close"]


@pytest.mark.parametrize("name", ACTS)
def test_an_act_that_ends_after_any_write_is_finished_by_doing_it_again(case_of, name):
    """And before that no alert is lost or where its incident does not say so."""
    whole = case_of()
    act, wanted = acts(whole)[name]
    last = act(whole.desk())
    for writes in count():
        case = case_of()
        act, _ = acts(case)[name]
        try:
            done = act(case.desk(stores=interrupted(case.stores, writes)))
            break
        except Killed:
            pass
        case.members()
        again = act(case.desk())
        assert case.members() == wanted
        assert case.states() == whole.states()
        assert case.lines() == whole.lines(), "each membership is one line of the history, not one of each try"
        assert (again.status, again.verdict, again.orgs) == (last.status, last.verdict, last.orgs)
    assert writes >= 2
    assert act(case.desk()).id == done.id, "also when nothing is left to do"
    assert (case.members(), case.lines()) == (wanted, whole.lines())


def test_merged_incidents_are_both_readable(case_of):
    case = case_of()
    desk = case.desk()
    desk.decide(case.one, IncidentDecision(comment="của một"))
    desk.decide(case.two, IncidentDecision(comment="của hai"))
    into = desk.merge(case.one, case.two)
    source = case.stores.incidents.get(case.one, EVERYTHING)
    assert (source.status, source.verdict, source.merged_into) == (IncidentStatus.CLOSED, None, case.two)
    assert (into.status, into.orgs) == (IncidentStatus.OPEN, ("hungyen", "ninhbinh"))
    comments = [(c.about, c.new) for c in desk.history(case.two) if c.field == "comment"]
    assert sorted(comments) == sorted([(case.one, "của một"), (case.two, "của hai")])
    assert [c.new for c in desk.history(case.one) if c.field == "comment"] == ["của một"]
    with pytest.raises(Refused, match=f"merged into {case.two}"):
        desk.decide(case.one, IncidentDecision(title="x"))


def test_a_merged_incident_stands_for_what_it_was_merged_into(case_of):
    case = case_of()
    desk = case.desk()
    desk.merge(case.one, case.two)
    assert desk.add(case.one, [case.alerts[3]]).id == case.two
    assert desk.remove(case.one, [case.alerts[0]]).id == case.two
    desk.split(case.one, [case.alerts[1]], case.new, "Riêng")
    assert case.members() == {"one": [], "two": [2, 3], "new": [1]}
    assert [c.new for c in desk.history(case.new) if c.field == "split_from"] == [case.two]


def test_merges_of_merges(case_of):
    case = case_of()
    desk = case.desk()
    desk.open(case.new, "Mới", [case.alerts[3]])
    desk.merge(case.one, case.two)
    assert desk.merge(case.two, case.new).id == case.new
    assert case.members() == {"one": [], "two": [], "new": [0, 1, 2, 3]}
    assert {c.about for c in desk.history(case.new)} == {case.one, case.two, case.new}
    assert desk.merge(case.one, case.two).id == case.new, "nothing is left to do"
    with pytest.raises(Conflict, match=case.two):
        desk.merge(case.one, case.new)
    with pytest.raises(Refused, match="use that one"):
        desk.merge(case.new, case.two)
    with pytest.raises(Refused, match="itself"):
        desk.merge(case.new, case.new)


def test_whoever_merges_the_other_way_at_the_same_time_makes_no_circle(case_of):
    for writes in range(4):
        case = case_of()

        def other_way(case=case):
            with suppress(Conflict, Refused):
                case.desk(MINH).merge(case.two, case.one)

        with suppress(Conflict, Refused):
            case.desk(stores=interrupted(case.stores, writes, other_way)).merge(case.one, case.two)
        one, two = (case.stores.incidents.get(id_, EVERYTHING) for id_ in (case.one, case.two))
        assert not (one.merged_into and two.merged_into)
        members = case.members()
        assert sorted(members["one"] + members["two"]) == [0, 1, 2]
        if merged := one.merged_into or two.merged_into:
            assert members["one" if merged == case.one else "two"] == [0, 1, 2]


def test_an_alert_that_joins_while_its_incident_is_merged_goes_along(case_of):
    for writes in range(2):
        case = case_of()
        merge = lambda case=case: case.desk(MINH).merge(case.one, case.two)  # noqa: E731
        case.desk(stores=interrupted(case.stores, writes, merge)).add(case.one, [case.alerts[3]])
        assert_one_place(case)
    for writes in range(4):
        case = case_of()
        add = lambda case=case: case.desk(MINH).add(case.one, [case.alerts[3]])  # noqa: E731
        try:
            case.desk(stores=interrupted(case.stores, writes, add)).merge(case.one, case.two)
        except Conflict:
            case.desk().merge(case.one, case.two)
        assert_one_place(case)


def assert_one_place(case):
    """All four alerts are in `two`."""
    found = {id_: case.stores.alerts.get(id_, EVERYTHING).triage.incident for id_ in case.alerts}
    assert set(found.values()) == {case.two}
    assert case.stores.alerts.list(AlertFilter(incident=case.one), EVERYTHING).items == ()
    assert len(case.stores.alerts.list(AlertFilter(incident=case.two), EVERYTHING).items) == 4
    assert "caobang" in case.stores.incidents.get(case.two, EVERYTHING).orgs


def test_an_alert_is_in_one_incident_only(case_of):
    case = case_of()
    with pytest.raises(Conflict, match=f"is in incident {case.one}"):
        case.desk().add(case.two, [case.alerts[3], case.alerts[0]])
    with pytest.raises(Conflict, match=f"is in incident {case.one}"):
        case.desk().open(case.new, "Mới", [case.alerts[0]])
    with pytest.raises(NotFound):
        case.stores.incidents.get(case.new, EVERYTHING)
    with pytest.raises(Conflict, match=f"is in incident {case.one}"):
        case.desk().remove(case.two, [case.alerts[0]])
    with pytest.raises(Refused, match="is not in incident"):
        case.desk().split(case.two, [case.alerts[3]], case.new, "Riêng")
    assert case.lines() == [1, 1, 1, 0], "nothing of it was begun"
    taken = lambda: case.desk(MINH).add(case.two, [case.alerts[3]])  # noqa: E731
    with pytest.raises(Conflict, match=f"is in incident {case.two}"):
        case.desk(stores=interrupted(case.stores, 1, taken)).add(case.one, [case.alerts[3]])
    assert case.stores.alerts.get(case.alerts[3], EVERYTHING).triage.incident == case.two


def test_a_comment_on_the_alert_meanwhile_keeps_nobody_from_moving_it(case_of):
    case = case_of()
    comment = lambda: case.stores.triage.change(case.alerts[3], Decision(comment="đang xem"), by="minh", now=NOON)  # noqa: E731
    case.desk(stores=interrupted(case.stores, 1, comment)).add(case.one, [case.alerts[3]])
    assert [c.field for c in case.stores.triage.history(case.alerts[3])] == ["comment", "incident"]


def test_closing_closes_what_is_open_and_reopening_opens_what_it_closed(case_of):
    case = case_of()
    desk, triage = case.desk(), case.stores.triage
    desk.add(case.one, [case.alerts[3]])
    triage.change(case.alerts[0], Decision(status=Status.CLOSED, verdict=Verdict.FALSE_POSITIVE), by="minh", now=NOON)
    triage.change(case.alerts[1], Decision(snoozed_until=NOON + 9, reason="x"), by="minh", now=NOON)
    closed = desk.decide(case.one, CLOSE)
    assert (closed.status, closed.verdict) == (IncidentStatus.CLOSED, Verdict.TRUE_POSITIVE)
    found = [case.stores.alerts.get(id_, EVERYTHING).triage for id_ in case.alerts]
    assert [t.verdict for t in found] == ["false_positive", "true_positive", None, "true_positive"]
    assert found[1].snoozed_until is None
    with pytest.raises(Refused, match="reopen it first"):
        desk.add(case.one, [case.alerts[2]])
    with pytest.raises(Refused, match="reopen it first"):
        desk.decide(case.one, IncidentDecision(status=IncidentStatus.CLOSED, verdict=Verdict.BENIGN))
    with pytest.raises(Refused, match="is closed"):
        desk.merge(case.two, case.one)
    reopened = desk.decide(case.one, REOPEN)
    assert (reopened.status, reopened.verdict) == (IncidentStatus.OPEN, None)
    assert case.states() == [Status.CLOSED, Status.NEW, Status.NEW, Status.NEW]


def test_reopening_that_was_cut_goes_on(case_of):
    for writes in range(3):
        case = case_of()
        case.desk().decide(case.one, CLOSE)
        with pytest.raises(Killed):
            case.desk(stores=interrupted(case.stores, writes)).decide(case.one, REOPEN)
        assert case.stores.incidents.get(case.one, EVERYTHING).status is IncidentStatus.CLOSED
        assert case.desk().decide(case.one, REOPEN).status is IncidentStatus.OPEN
        assert case.states() == [Status.NEW] * 4


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (IncidentDecision(status=IncidentStatus.CLOSED), "closing needs a verdict"),
        (IncidentDecision(verdict=Verdict.BENIGN), "given when an incident is closed"),
        (IncidentDecision(status=IncidentStatus.OPEN, verdict=Verdict.BENIGN), "given when an incident is closed"),
        (IncidentDecision(assignee="nobody"), "no such account"),
    ],
)
def test_what_makes_no_sense_is_refused(case_of, decision, reason):
    case = case_of()
    before = case.stores.incidents.get(case.one, EVERYTHING)
    with pytest.raises(Refused, match=reason):
        case.desk().decide(case.one, decision)
    assert case.stores.incidents.get(case.one, EVERYTHING) == before
    assert set(case.states()) == {Status.NEW}


def test_a_decision_on_an_old_state_closes_nothing(case_of):
    case = case_of()
    case.desk(MINH).decide(case.one, IncidentDecision(title="OTP"))
    with pytest.raises(Conflict, match="minh changed this incident"):
        case.desk().decide(case.one, IncidentDecision(0, status=IncidentStatus.CLOSED, verdict=Verdict.BENIGN))
    assert set(case.states()) == {Status.NEW}


def test_it_is_given_to_who_may_see_and_work_on_all_of_it(case_of):
    case = case_of()
    accounts = case.stores.accounts
    accounts.put(Account("an", Role.ANALYST, Scope(frozenset({"hungyen"}))), None, by="x")
    accounts.put(Account("xem", Role.VIEWER, EVERYTHING), None, by="x")
    assert case.desk().decide(case.one, IncidentDecision(assignee="an")).assignee == "an"
    with pytest.raises(Refused, match="viewer"):
        case.desk().decide(case.one, IncidentDecision(assignee="xem"))
    case.desk().merge(case.one, case.two)
    with pytest.raises(Refused, match="not for this organisation"):
        case.desk().decide(case.two, IncidentDecision(assignee="an"))


def test_nobody_acts_on_what_they_do_not_see(case_of):
    case = case_of()
    outsider = case.desk(Account("an", Role.ADMIN, Scope(frozenset({"ninhbinh", "caobang"}))))
    for act in (
        lambda: outsider.open(case.new, "Mới", [case.alerts[0]]),
        lambda: outsider.open(case.one, "Sự cố", [case.alerts[3]]),  # the id is taken, by whom is not told
        lambda: outsider.add(case.one, [case.alerts[3]]),
        lambda: outsider.add(case.two, [case.alerts[0]]),
        lambda: outsider.remove(case.one, [case.alerts[0]]),
        lambda: outsider.split(case.one, [case.alerts[0]], case.new, "Riêng"),
        lambda: outsider.merge(case.one, case.two),
        lambda: outsider.merge(case.two, case.one),
        lambda: outsider.decide(case.one, CLOSE),
        lambda: outsider.history(case.one),
    ):
        with pytest.raises((NotFound, Conflict)):
            act()
    assert case.members() == {"one": [0, 1], "two": [2], "new": []}
    assert set(case.states()) == {Status.NEW}
    assert case.lines() == [1, 1, 1, 0]


def test_who_sees_a_part_no_longer_sees_it_once_it_is_widened(case_of):
    case = case_of()
    local = case.desk(Account("an", Role.ANALYST, Scope(frozenset({"hungyen"}))))
    assert local.decide(case.one, IncidentDecision(comment="x")).id == case.one
    case.desk().add(case.one, [case.alerts[3]])
    with pytest.raises(NotFound):
        local.decide(case.one, IncidentDecision(comment="x"))
    case.desk().remove(case.one, [case.alerts[3]])
    with pytest.raises(NotFound):
        local.history(case.one)


def test_what_is_merged_while_it_is_being_closed_is_not_closed(case_of):
    case = case_of()
    merge = lambda: case.desk(MINH).merge(case.one, case.two)  # noqa: E731
    with pytest.raises(Conflict, match="minh changed this incident"):
        case.desk(stores=interrupted(case.stores, 1, merge)).decide(case.one, CLOSE)
    source, target = (case.stores.incidents.get(id_, EVERYTHING) for id_ in (case.one, case.two))
    assert (source.verdict, source.merged_into) == (None, case.two)
    assert target.status is IncidentStatus.OPEN
    assert case.members() == {"one": [], "two": [0, 1, 2], "new": []}


def either_way(case_of, first, second):
    """`first` with `second` before each of its writes in turn, and both the other way round; the case after each."""
    for act, meanwhile in ((first, second), (second, first)):
        for writes in count():
            case, done = case_of(), []

            def once(case=case, done=done, meanwhile=meanwhile):
                done.append(True)
                with suppress(Conflict, Refused, NotFound):
                    meanwhile(case, case.desk(MINH))

            with suppress(Conflict, Refused, NotFound):
                act(case, case.desk(stores=interrupted(case.stores, writes, once)))
            yield case
            if not done:
                break


def test_no_open_alert_is_left_in_an_incident_that_is_closed_while_it_joins(case_of):
    for case in either_way(
        case_of,
        lambda case, desk: desk.add(case.one, [case.alerts[3]]),
        lambda case, desk: desk.decide(case.one, CLOSE),
    ):
        assert_closed_whole(case, case.one)


def test_nor_in_one_that_is_closed_while_others_are_merged_into_it(case_of):
    for case in either_way(
        case_of, lambda case, desk: desk.merge(case.two, case.one), lambda case, desk: desk.decide(case.one, CLOSE)
    ):
        assert_closed_whole(case, case.one)


def test_nor_in_the_new_one_that_is_closed_while_it_is_split_off(case_of):
    for case in either_way(
        case_of,
        lambda case, desk: desk.split(case.one, [case.alerts[1]], case.new, "Riêng"),
        lambda case, desk: desk.decide(case.new, CLOSE),
    ):
        assert case.members()["one"] in ([0], [0, 1])
        assert_closed_whole(case, case.new)


def assert_closed_whole(case, incident_id):
    """Where the incident is closed, so are its alerts; and each alert is where its incident says that it is."""
    case.members()
    with suppress(NotFound):
        incident = case.stores.incidents.get(incident_id, EVERYTHING)
        inside = case.stores.alerts.list(AlertFilter(incident=incident_id), EVERYTHING).items
        if incident.status is IncidentStatus.CLOSED:
            assert {alert.triage.status for alert in inside} <= {Status.CLOSED}
