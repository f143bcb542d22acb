"""An analyst's day: told by mail, then through the queue until the incident is closed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import office
from day import Day
from office import Portal
from playwright.sync_api import expect
from receivers import Mailbox
from servers import eventually

ATTACKER, PASSER_BY = "203.0.113.7", "203.0.113.90"
PHONE = "0912345678"
NOISE = [f"198.51.100.{number}" for number in range(1, 6)]
RULES = {
    "log4shell": "log4shell",
    "sqli": "sql_injection",
    "xss": "xss",
    "tool": "scanner_user_agent",
    "traversal": "local_file_access",
}


class Analyst:
    def __init__(self, day: Day, org: str) -> None:
        self.day, self.say, self.page, self.org = day, day.say, day.page, org
        self.name = f"lan-{day.language}"
        self.titles = {key: office.title(name, day.language) for key, name in RULES.items()}
        self.password = office.account(day.product, self.name, "analyst", org)
        self.portal = Portal(day.product, org)

    def is_told_by_mail(self, mailbox: Mailbox) -> None:
        address = f"{self.name}@example.vn"
        route = {"name": "Trực ban", "channel": "email", "addresses": [address], "orgs": [self.org]}
        self.day.product.request("POST", "/routes", route | {"language": self.day.language, "level": "high"})
        self.portal.logs(
            *[office.line(ATTACKER, office.SQLI, office.HOSTILE)] * 3,
            office.line(ATTACKER, office.LOG4SHELL, office.HOSTILE),
            office.line(PASSER_BY, office.TRAVERSAL),
            *(office.line(noise, "/", "sqlmap/1.7") for noise in NOISE),
            office.line("203.0.113.50", f"/tra-cuu?sdt={PHONE}"),
        )
        [letter] = eventually(lambda: [mail for mail in mailbox.mails if mail["To"] == address], 30, "the mail")
        assert self.titles["log4shell"] in letter["Subject"]
        [self.link] = re.findall(r"https?://\S+/alerts/\w+", letter.get_body(("plain",)).get_content())

    def signs_in_by_the_link(self) -> None:
        self.day.open(self.link)
        self.day.sign_in(self.name, self.password)
        assert self.page.url == self.link
        self.day.sees(self.titles["log4shell"], within="h1")
        self.day.sees(self.say("What to do"), within="#runbook")
        self.day.sees(self._first_step(), within="#runbook")
        self.day.sees("jndi", "<script>", within="#events")
        self.page.locator("#events summary").first.click()
        self.day.follow(self.say("What happened around it"), within="#events")
        self.day.sees("UNION", within="#events .around")

    def _first_step(self) -> str:
        """The first words of what the rule's author says is to be done."""
        steps = office.rule(RULES["log4shell"])["govsoc"]["runbook"][self.day.language]
        return " ".join(steps.removeprefix("1. ").split()[:4])

    def looks_through_the_queue(self) -> None:
        self.day.go("Alerts")
        self.day.sees(
            *(self.titles[key] for key in ("log4shell", "sqli", "traversal", "tool")), *NOISE, within="#queue"
        )
        self.day.sees(self.say("Organisation"), self.say("Last seen"), self.say("critical"), self.org)
        first = self.page.locator("#queue tbody tr").filter(has_text=self.titles["log4shell"])
        first.get_by_role("link", name=self.titles["log4shell"]).click()
        self.day.press("Acknowledge")
        self.day.sees(self.say("In progress"), self.say("assigned to"), self.name, within=".state")

    def opens_an_incident(self) -> None:
        self.day.sees(self.say("About the same"), self.titles["sqli"], within="#related")
        self.day.fill("Title", "Đợt dò quét cổng", within="#related")
        self.day.press("Open an incident", within="#related")
        self.day.sees("Đợt dò quét cổng", within="h1")
        self.incident = self.page.url
        self._holds("log4shell", "sqli")
        self.day.press("Assign to me")
        self.day.sees(self.say("assigned to"), self.name, within=".state")

    def finds_that_a_further_alert_has_joined(self) -> None:
        self.portal.logs(office.line(ATTACKER, office.XSS))

        def joined() -> bool:
            self.page.reload()
            return self.page.get_by_role("link", name=self.titles["xss"]).count() == 1

        eventually(joined, 30, "the further alert is in the incident")
        self._holds("log4shell", "sqli", "xss")

    def snoozes_another(self) -> None:
        self.day.go("Alerts")
        self.day.follow(self.titles["traversal"])
        until = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")) + timedelta(days=1)
        self.day.fill("Snooze until", until.strftime("%Y-%m-%dT09:00"))
        self.day.fill("because", "chờ đơn vị trả lời")
        self.day.press("Snooze")
        self.day.sees(
            self.say("snoozed until"),
            f"09:00:00 {until:%d/%m/%Y}" if self.day.language == "vi" else f"{until:%Y-%m-%d} 09:00:00",
        )
        self.day.sees(self.say("snoozed it because"), "chờ đơn vị trả lời", within="#history")
        self.day.go("Alerts")
        self.day.misses(self.titles["traversal"], within="#queue")
        self.day.follow(self.say("Show the snoozed ones, too"))
        self.day.sees(self.titles["traversal"], within="#queue")

    def closes_the_noise_at_once(self) -> None:
        self.day.go("Alerts")
        self.page.fill("#text", self.titles["tool"])
        expect(self.page.locator("#queue tbody tr")).to_have_count(len(NOISE))
        self.day.follow(self.say("Decide for all that this filter finds…"))
        self.day.sees(self.say("%(num)s alert", len(NOISE)), *NOISE)
        self.day.fill("Comment", "đợt kiểm thử đã báo trước")
        self.day.choose("Benign")
        self.day.press("Close")
        self.day.sees(self.say("%(num)s alert changed", len(NOISE)))
        self.day.go("Alerts")
        self.day.misses(*NOISE, within="#queue")

    def searches_for_a_citizen(self) -> None:
        self.day.go("Events")
        self.day.sees(self.say("How to search"))
        self.page.get_by_text(self.say("Look for a phone number or a citizen id")).click()
        self.day.fill("Number", PHONE)
        self.page.locator("form[action='/events/person']").get_by_role("button").click()
        self.day.sees("/tra-cuu", within="#found")
        assert self.page.locator("#found details").count() == 1
        assert PHONE not in self.page.content()
        assert PHONE not in self.page.url

    def splits_and_merges(self) -> None:
        self.day.open(self.incident)
        self.page.get_by_role("checkbox", name=self.titles["xss"]).check()
        self.day.fill("Title", "Chỉ XSS", within="#alerts")
        self.day.press("Make the chosen ones an incident of their own")
        self.day.sees("Chỉ XSS", within="h1")
        self._holds("xss")
        self.day.sees(self.say("split it from the incident"), within="#history")
        apart = self.page.url
        self.day.open(self.incident)
        self._holds("log4shell", "sqli")
        self.day.pick("Take over the alerts of", "Chỉ XSS")
        self.day.press("Merge")
        self._holds("log4shell", "sqli", "xss")
        self.day.sees(self.say("took over the alerts of the incident"), within="#history")
        self.day.open(apart)
        self.day.sees(self.say("Its alerts went over to another incident:"))

    def closes_the_incident(self) -> None:
        self.day.open(self.incident)
        self.day.fill("Comment", "đã chặn địa chỉ", within="#decide")
        with self.day.refused(422):
            self.day.press("Close")
        self.day.sees(self.say("That cannot be done:"))
        expect(self.day.named("Comment", within="#decide")).to_have_value("đã chặn địa chỉ")
        self.day.choose("True positive")
        self.day.press("Close")
        self.day.sees(self.say("Closed"), self.say("True positive"), within=".state")
        expect(self.page.locator("#alerts tbody .status.closed")).to_have_count(3)
        self.day.sees(self.say("gave the verdict"), "đã chặn địa chỉ", within="#history")
        self.day.go("Incidents")
        self.day.follow(self.say("Closed"))
        self.day.sees("Đợt dò quét cổng", self.say("True positive"))

    def sees_how_long_it_took(self) -> None:
        """By the API: no page shows it."""
        answer = self.page.request.get("/api/v1/alerts/times?days=1").json()
        times = {one["level"]: one for one in answer["items"]}
        assert (times["high"]["raised"], times["high"]["waiting"], times["high"]["closed"]) == (1, 0, 1)
        assert 0 < times["high"]["acknowledge_median_s"] < times["high"]["resolve_median_s"] < 300
        assert times["medium"]["closed"] == 2 + len(NOISE)

    def _holds(self, *keys: str) -> None:
        """The incident has these alerts and no others."""
        expect(self.page.locator("#alerts tbody tr")).to_have_count(len(keys))
        self.day.sees(*(self.titles[key] for key in keys), within="#alerts")
