"""Notifications as real servers receive them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from soc.errors import StoreUnavailable
from soc.model.alert import Decision, Status, Verdict
from soc.model.delivery import DeliveryState
from soc.model.org import EVERYTHING
from soc.notify.email import Mailer, Server
from soc.notify.route import Channel

MINUTE = 60_000
HOUR = 60 * MINUTE


def told(office):
    """The alerts that the webhook has been told of, as often as it was."""
    return [alert["id"] for data in office.hook.got for alert in data["alerts"]]


def test_an_alert_arrives_by_mail_and_at_the_webhook(office):
    office.mail_route()
    office.hook_route()
    alert, notifier = office.fire(), office.notifier()
    notifier.step()
    notifier.step()
    office.notifier().step()  # a restart looks at the same alerts again
    [mail], [data], [headers] = office.mailbox.mails, office.hook.got, office.hook.headers
    assert mail["Subject"] == "[govsoc] cao: SQL injection · 203.0.113.1 · H42"
    assert mail["To"] == "lan@hungyen.gov.vn, minh@hungyen.gov.vn"
    text = mail.get_body(("plain",)).get_content()
    for said in (
        f"https://soc.hungyen.gov.vn/alerts/{alert}",
        "H42",
        "203.0.113.1 (source.ip)",
        "Xem địa chỉ.",
        "19:00:00 02/03/2026",
    ):
        assert said in text
    assert data["alerts"][0]["id"] == alert
    assert data["alerts"][0]["url"] == f"https://soc.hungyen.gov.vn/alerts/{alert}"
    assert headers["X-Govsoc-Delivery"] == data["id"]
    assert headers["X-Govsoc-Timestamp"] == str(office.now // 1000)
    assert office.states("mail") == office.states("hook") == ["sent"]


def test_both_down_for_ten_minutes_and_everything_arrives_once_soon_after(office):
    office.mail_route()
    office.hook_route()
    office.mailbox.stop()
    office.hook.stop()
    notifier = office.notifier()
    started = office.now
    while office.now < started + 10 * MINUTE:
        if office.now % MINUTE == 0:
            office.fire()
        notifier.step()
        office.now += 10_000
    assert office.fired == 10
    assert office.states("mail") == office.states("hook") == ["pending"] * 10
    [first, *_] = office.outbox.pending("hook")
    assert 4 <= first.attempts <= 6, "it was tried again and again, and not without pause"
    assert first.error == "127.0.0.1: Connection refused"
    office.mailbox.start()
    office.hook.start()
    back = office.now
    while office.now < back + 12 * MINUTE:
        notifier.step()
        office.now += 10_000
    assert office.states("mail") == office.states("hook") == ["sent"] * 10
    assert len(office.mailbox.mails) == len(office.hook.got) == 10
    assert len({data["alerts"][0]["id"] for data in office.hook.got}) == 10
    assert office.mailbox.connections == 1, "one connection for what goes together"


def test_after_a_day_it_is_given_up_and_listed_and_a_person_may_try_again(office):
    from soc.notify.plan import again

    office.mail_route()
    office.mailbox.stop()
    office.fire()
    notifier, began = office.notifier(), office.now
    while office.states("mail") != ["failed"]:
        office.now += 5 * MINUTE
        notifier.step()
    assert 23 * HOUR < office.now - began <= 24 * HOUR + 5 * MINUTE, "found when it is looked at next"
    [failed] = office.outbox.list(DeliveryState.FAILED, EVERYTHING).items
    assert failed.error == f"127.0.0.1:{office.mailbox.port}: Connection refused"
    office.mailbox.start()
    office.outbox.update([again(failed, office.now)])
    notifier.step()
    assert len(office.mailbox.mails) == 1
    assert office.states("mail") == ["sent"]


def test_two_notifiers_on_one_store_send_once(office):
    office.hook_route(per_hour=1000)
    for _ in range(30):
        office.fire()
    notifiers = [office.notifier() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda notifier: notifier.step(), notifiers))
    office.notifier().step()
    assert (len(told(office)), len(set(told(office)))) == (30, 30)


class Killed(BaseException):
    pass


class Dies:
    """An outbox whose process ends between sending a message and noting it."""

    def __init__(self, outbox):
        self._outbox = outbox

    def __getattr__(self, name):
        return getattr(self._outbox, name)

    def update(self, deliveries):
        if any(d.state is DeliveryState.SENT for d in deliveries):
            raise Killed
        return self._outbox.update(deliveries)


def test_who_is_killed_after_sending_has_it_sent_again_under_the_same_id(office):
    office.hook_route()
    office.fire()
    notifier = office.notifier()
    notifier._outbox = Dies(office.outbox)
    with pytest.raises(Killed):
        notifier.step()
    survivor = office.notifier()
    survivor.step()
    assert len(office.hook.got) == 1, "the claim holds"
    office.now += 6 * MINUTE
    survivor.step()
    assert office.hook.got[0] == office.hook.got[1]
    assert office.states("hook") == ["sent"]


def test_a_digest_that_is_sent_again_is_the_same_message_whatever_came_meanwhile(office):
    office.hook_route(digest_minutes=15)
    notifier = office.notifier()
    for _ in range(3):
        office.fire()
    notifier.step()
    office.now += 15 * MINUTE
    notifier._outbox = Dies(office.outbox)
    with pytest.raises(Killed):
        notifier.step()
    later = office.fire()
    office.now += 6 * MINUTE
    office.notifier().step()
    first, again = office.hook.got
    assert again == first
    assert office.hook.headers[0]["X-Govsoc-Delivery"] == office.hook.headers[1]["X-Govsoc-Delivery"]
    office.now += 15 * MINUTE
    office.notifier().step()
    assert [alert["id"] for alert in office.hook.got[2]["alerts"]] == [later]
    assert office.hook.got[2]["id"] != first["id"]


def test_a_digest_whose_answer_was_lost_keeps_its_id_and_what_came_meanwhile_goes_after_it(office):
    office.hook_route(digest_minutes=1)
    office.fire()
    office.fire()
    notifier = office.notifier()
    notifier.step()
    office.hook.answer = (503, {})
    office.now += MINUTE
    notifier.step()
    office.fire()
    office.now += MINUTE
    office.hook.answer = (200, {})
    notifier.step()
    office.now += MINUTE
    notifier.step()
    refused, again, other = (headers["X-Govsoc-Delivery"] for headers in office.hook.headers)
    assert refused == again != other
    assert [len(data["alerts"]) for data in office.hook.got] == [2, 1]


def test_what_a_person_has_tried_again_is_a_message_of_its_own(office):
    from soc.notify.plan import again

    office.hook_route(per_hour=1)
    office.fire()
    office.fire()
    notifier = office.notifier()
    office.hook.answer = (410, {})
    notifier.step()
    office.hook.answer = (200, {})
    office.now += 2 * HOUR
    for failed in office.outbox.list(DeliveryState.FAILED, EVERYTHING).items:
        office.outbox.update([again(failed, office.now)])
        notifier.step()
        office.now += 2 * HOUR
    assert len({headers["X-Govsoc-Delivery"] for headers in office.hook.headers}) == 3
    assert len(told(office)) == 2


def test_no_more_messages_an_hour_than_wished_and_nothing_is_dropped(office):
    office.hook_route(per_hour=3)
    notifier = office.notifier()
    for _ in range(10):
        office.fire()
    notifier.step()
    assert [len(data["alerts"]) for data in office.hook.got] == [1, 1, 8]
    office.fire()
    office.now += 59 * MINUTE
    notifier.step()
    assert len(office.hook.got) == 3
    office.now += 2 * MINUTE
    office.fire()
    notifier.step()
    assert [len(data["alerts"]) for data in office.hook.got[3:]] == [1, 1]
    assert len({alert["id"] for data in office.hook.got for alert in data["alerts"]}) == 12


def test_a_digest_collects_and_goes_as_one(office):
    office.mail_route(digest_minutes=15, language="en")
    notifier = office.notifier()
    for level in ("high", "critical", "high"):
        office.fire(level=level)
        notifier.step()
        office.now += 5 * MINUTE
    assert office.mailbox.mails == []
    office.now += MINUTE
    notifier.step()
    [mail] = office.mailbox.mails
    assert mail["Subject"] == "[govsoc] 3 alerts (critical): H42"
    text = mail.get_body(("plain",)).get_content()
    assert text.index("[critical]") < text.index("[high]")
    assert text.count("Open the alert: ") == 3


def test_a_message_names_fifty_alerts_and_counts_the_others(office):
    office.hook_route(per_hour=1)
    for _ in range(60):
        office.fire()
    office.notifier().step()
    [data] = office.hook.got
    assert (len(data["alerts"]), data["more"]) == (50, 10)
    assert office.states("hook") == ["sent"] * 60


def test_routes_choose_by_organisation_and_level(office):
    office.mail_route("below", orgs=("H42.*",), level="medium")
    office.hook_route("one", orgs=("H30",), level="critical")
    office.hook_route("off", enabled=False)
    office.hook_route("later", since=office.now + 1)
    for org, level in (("H42", "low"), ("H42.01", "medium"), ("H421", "high"), ("H30", "critical"), ("H30", "high")):
        office.fire(org=org, level=level)
    office.notifier().step()
    assert [mail["Subject"].split(" · ")[-1] for mail in office.mailbox.mails] == ["H42.01"]
    assert [(d["route"], a["org"], a["level"]) for d in office.hook.got for a in d["alerts"]] == [
        ("one", "H30", "critical")
    ]


def test_an_alert_that_people_have_closed_already_is_no_news(office):
    office.hook_route()
    closed, open_ = office.fire(), office.fire()
    office.stores.triage.change(
        closed, Decision(status=Status.CLOSED, verdict=Verdict.BENIGN), by="lan", now=office.now
    )
    office.notifier().step()
    assert [data["alerts"][0]["id"] for data in office.hook.got] == [open_]


def test_alerts_raised_while_nobody_ran_are_told_once_however_long_that_was(office):
    office.hook_route(per_hour=1000)
    missed = [office.fire() for _ in range(60)]  # more than a page
    office.now += 12 * 24 * HOUR
    missed += [office.fire() for _ in range(5)]
    office.now += 5 * HOUR
    for _ in range(10):
        office.notifier().step()
    assert sorted(told(office)) == sorted(missed)
    office.now += 25 * 24 * HOUR  # what was sent first is forgotten soon, and was raised before what a start looks at
    office.notifier().step()
    office.now += 6 * 24 * HOUR
    office.notifier().step()
    office.notifier().step()
    assert len(told(office)) == len(missed)


@pytest.mark.parametrize("late", [3 * MINUTE, 23 * HOUR])
def test_an_alert_that_becomes_visible_long_after_it_was_raised_is_told_once(office, late):
    office.hook_route()
    notifier = office.notifier()
    first = office.fire()
    notifier.step()
    raised = office.now
    office.now += late
    between = office.fire()
    notifier.step()
    second = office.fire(at=raised)  # the store that it was written to was away, or the clock there is late
    for _ in range(30):
        office.now += MINUTE
        notifier.step()
    assert told(office) == [first, between, second]


def test_a_route_that_is_laid_down_while_alerts_are_looked_at_for_others_is_told_of_them(office):
    office.hook_route()
    notifier = office.notifier()
    alert = office.fire()
    notifier.step()
    office.now += 1000
    office.hook_route("second", since=office.now - 10_000)
    notifier.step()
    notifier.step()
    assert sorted(told(office)) == [alert, alert]


def test_a_detector_whose_clock_is_ahead_hides_no_alert_of_the_others(office):
    office.hook_route()
    notifier = office.notifier()
    ahead = office.fire(at=office.now + HOUR)
    notifier.step()
    office.now += MINUTE
    other = office.fire()
    notifier.step()
    assert told(office) == [ahead, other]


def test_alerts_are_found_again_after_the_outbox_could_not_be_written(office):
    office.hook_route()
    notifier = office.notifier()
    notifier.step()

    class Away:
        def __getattr__(self, name):
            return getattr(office.outbox, name)

        def add(self, deliveries):
            raise StoreUnavailable("the store is away")

    outbox, notifier._outbox = notifier._outbox, Away()
    alert = office.fire()
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            notifier.step()
        office.now += MINUTE
    notifier._outbox = outbox
    notifier.step()
    assert told(office) == [alert]


def test_one_refused_message_does_not_hold_up_the_others_and_a_dead_route_no_other_route(office):
    office.mail_route("mail", addresses=("lan@hungyen.gov.vn",))
    office.hook_route("dead", url="http://127.0.0.1:9/")
    office.mailbox.refuse["DATA"] = "554 looks like \x1b[31mspam"
    office.fire()
    notifier = office.notifier()
    notifier.step()
    assert office.states("mail") == ["failed"]
    del office.mailbox.refuse["DATA"]
    office.fire()
    notifier.step()
    assert office.states("mail") == ["failed", "sent"]
    assert office.states("dead") == ["pending", "pending"]
    [failed] = office.outbox.list(DeliveryState.FAILED, EVERYTHING).items
    assert "answered 554" in failed.error
    assert failed.error.isprintable()


def test_an_address_that_is_refused_is_named(office):
    office.mail_route()
    office.mailbox.refuse["minh@hungyen.gov.vn"] = "550 no such user"
    office.fire()
    office.notifier().step()
    [failed] = office.outbox.list(DeliveryState.FAILED, EVERYTHING).items
    assert failed.error == "the others have it, not taken for minh@hungyen.gov.vn: 550 no such user"
    assert len(office.mailbox.mails) == 1, "the other address has it"


def test_an_address_that_is_refused_for_now_has_nobody_told_twice_and_holds_up_nothing(office):
    office.mail_route()
    office.mailbox.refuse["minh@hungyen.gov.vn"] = "450 greylisted"
    office.fire()
    notifier = office.notifier()
    notifier.step()
    del office.mailbox.refuse["minh@hungyen.gov.vn"]
    office.fire()
    for _ in range(20):
        notifier.step()
        office.now += MINUTE
    assert [mail["Subject"].split(" · ")[1] for mail in office.mailbox.mails] == ["203.0.113.1", "203.0.113.2"]
    [partly] = office.outbox.list(DeliveryState.FAILED, EVERYTHING).items
    assert partly.error == "the others have it, not taken for minh@hungyen.gov.vn: 450 greylisted"
    assert partly.sent_at is not None
    assert office.outbox.messages("mail", 0) == 2, "it counts as sent"


def test_a_mail_that_nobody_takes_is_tried_again_for_whoever_may_take_it_later(office):
    office.mail_route()
    office.mailbox.refuse = {"lan@hungyen.gov.vn": "550 gone", "minh@hungyen.gov.vn": "450 later"}
    office.fire()
    notifier = office.notifier()
    notifier.step()
    del office.mailbox.refuse["minh@hungyen.gov.vn"]
    office.now += MINUTE
    notifier.step()
    assert len(office.mailbox.mails) == 1
    [partly] = office.outbox.list(DeliveryState.FAILED, EVERYTHING).items
    assert partly.error == "the others have it, not taken for lan@hungyen.gov.vn: 550 gone"


def test_a_round_of_one_route_is_bounded_so_that_the_others_have_their_turn(office):
    office.hook_route("slow", per_hour=1000)
    office.mail_route("mail", level="critical")
    for _ in range(25):
        office.fire()
    notifier = office.notifier()
    notifier.step()
    assert len(office.hook.got) == 10
    office.hook.slow = lambda: setattr(office, "now", office.now + 6000)
    notifier.step()
    assert len(office.hook.got) == 12, "none is begun after ten seconds"
    office.fire(level="critical")
    notifier.step()
    assert len(office.mailbox.mails) == 1
    for _ in range(7):
        notifier.step()
    assert sorted(told(office)) == sorted(set(told(office)))
    assert len(told(office)) == 26


def test_what_waits_for_a_route_that_is_withdrawn_or_switched_off_is_listed(office):
    route = office.hook_route(digest_minutes=60)
    office.fire()
    notifier = office.notifier()
    notifier.step()
    office.lay_down(replace(route, enabled=False))
    notifier.step()
    [failed] = office.outbox.list(DeliveryState.FAILED, EVERYTHING).items
    assert failed.error == "the route is switched off"


def test_a_fault_of_ours_in_one_message_stops_no_other_route(office):
    class Broken:
        def open(self, route):
            return Mailer(Server("127.0.0.1", office.mailbox.port, "none", "no\r\nsender"), office.clock).open(route)

    office.mail_route()
    office.hook_route()
    office.fire()
    notifier = office.notifier()
    notifier._senders = dict(notifier._senders) | {Channel.EMAIL: Broken()}
    notifier.step()
    assert office.states("hook") == ["sent"]
    [waiting] = office.outbox.pending("mail")
    assert waiting.error == "this is a fault of govsoc, its log says more: ValueError"


def test_a_server_that_is_away_is_logged_once_and_once_more_when_it_is_back(office, capsys):
    office.mail_route()
    office.mailbox.stop()
    office.fire()
    notifier = office.notifier()
    for _ in range(20):
        notifier.step()
        office.now += MINUTE
    office.mailbox.start()
    for _ in range(13):  # longer than the longest pause
        notifier.step()
        office.now += MINUTE
    said = capsys.readouterr()
    text = said.out + said.err
    assert text.count("notifications do not go out") == 1
    assert text.count("notifications go out again") == 1
    assert "s3cret" not in text


def test_what_is_finished_is_forgotten_after_a_month(office):
    office.hook_route()
    office.fire()
    notifier = office.notifier()
    notifier.step()
    office.now += 31 * 24 * HOUR
    notifier.step()
    assert office.states("hook") == []
