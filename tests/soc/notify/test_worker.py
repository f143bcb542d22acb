"""Notifications as real servers receive them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from soc.model.alert import Decision, Status, Verdict
from soc.model.delivery import DeliveryState
from soc.model.org import EVERYTHING
from soc.notify.email import Mailer, Server
from soc.notify.route import Channel

MINUTE = 60_000
HOUR = 60 * MINUTE


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
    assert 23 * HOUR < office.now - began <= 24 * HOUR
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
    told = [alert["id"] for data in office.hook.got for alert in data["alerts"]]
    assert (len(told), len(set(told))) == (30, 30)


def test_who_is_killed_after_sending_has_it_sent_again_under_the_same_id(office):
    class Killed(BaseException):
        pass

    class Dies:
        def __getattr__(self, name):
            return getattr(office.outbox, name)

        def update(self, deliveries):
            if any(d.state is DeliveryState.SENT for d in deliveries):
                raise Killed
            return office.outbox.update(deliveries)

    office.hook_route()
    office.fire()
    notifier = office.notifier()
    notifier._outbox = Dies()
    with pytest.raises(Killed):
        notifier.step()
    survivor = office.notifier()
    survivor.step()
    assert len(office.hook.got) == 1, "the claim holds"
    office.now += 6 * MINUTE
    survivor.step()
    assert office.hook.got[0] == office.hook.got[1]
    assert office.states("hook") == ["sent"]


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


def test_alerts_raised_while_nobody_ran_are_told_and_those_of_the_day_before_yesterday_are_not(office):
    office.hook_route()
    office.fire()
    office.now += 20 * HOUR
    missed = [office.fire() for _ in range(250)]  # more than a page
    office.now += 5 * HOUR
    office.notifier().step()
    assert {a["id"] for d in office.hook.got for a in d["alerts"]} < set(missed)
    assert office.states("hook") == ["sent"] * 250


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
    assert failed.error == "not taken for minh@hungyen.gov.vn: 550 no such user"
    assert len(office.mailbox.mails) == 1, "the other address has it"


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
    for _ in range(11):
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
