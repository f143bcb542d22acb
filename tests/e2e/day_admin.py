"""An administrator's day: what a rule would have raised, its stage, an exception and what it hides, one organisation's own level."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import office
from day import Day
from office import Portal, taken_up
from playwright.sync_api import Locator, expect
from servers import eventually

# Each has a rule of its own, as the stage of a rule is everybody's: the rule, and a request that nothing else fires on.
RULES = {"vi": ("shellshock", ("/", office.SHELLSHOCK)), "en": ("template_injection", (office.TEMPLATE, "Mozilla/5.0"))}
WRONG, TRUE, OPEN = ("203.0.113.10", "203.0.113.11"), "203.0.113.20", "203.0.113.21"
DAYS = 4  # of attacks, each day by each of them; the first is no whole day


class Admin:
    def __init__(self, day: Day, org: str) -> None:
        self.day, self.say, self.page, self.org = day, day.say, day.page, org
        self.name = f"minh-{day.language}"
        rule, self.attack = RULES[day.language]
        self.title, self.rule_id = office.title(rule, day.language), office.rule(rule)["id"]
        self.password = office.account(day.product, self.name, "admin")
        self.portal = Portal(day.product, org)
        self._last_days()

    def _last_days(self) -> None:
        """What was raised, and what the analysts made of it."""
        self.portal.logs(
            *(
                self._attack(address, ago=timedelta(days=days))
                for days in range(1, DAYS + 1)
                for address in (*WRONG, TRUE, OPEN)
            )
        )
        self.portal.found(4 * DAYS)
        verdicts = dict.fromkeys(WRONG, "false_positive") | {TRUE: "true_positive"}
        for alert in self.portal.raised(4 * DAYS):
            if verdict := verdicts.get(alert["entity"]):
                change = {"version": alert["version"], "status": "closed", "verdict": verdict}
                self.day.product.request("PATCH", f"/alerts/{alert['id']}", change)

    def signs_in(self) -> None:
        self.day.open("/")
        self.day.sign_in(self.name, self.password)
        self.day.sees(OPEN, self.org, within="#queue")

    def sees_how_often_the_rule_was_wrong(self) -> None:
        self.day.go("Rules")
        row = self.page.locator("table.rules tr").filter(has_text=self.title)
        expect(row).to_contain_text("67 %")
        expect(row).to_contain_text(self.say("Live"))
        expect(row).to_contain_text(f"{4 * DAYS}")
        self.to_the_rule()
        self.day.sees(self.say("False positives"), "67 %", ", 12", within="dl.facts")

    def asks_what_it_would_have_raised(self) -> None:
        self.day.press("What would it have raised?")
        self.day.sees(self.say("What it would have raised"), within="h1")
        self.day.sees(self.title, within="#report", patience_ms=90_000)
        for message, told in (
            ("Alerts", f"{4 * DAYS} ({self.say('%(num)s event', 4 * DAYS)})"),
            ("Alerts a day", "4"),
            (
                "The next 7 days together",
                re.compile(rf"^28 \({self.say('nine times out of ten between')} [\d.,]+ – [\d.,]+\)$"),
            ),
            ("New", "0"),
            ("Would no longer be there", "0"),
        ):
            expect(self._fact("#report", message)).to_have_text(told)
        known = (("confirmed", DAYS), ("false", 2 * DAYS), ("benign", 0), ("open", DAYS))
        self.day.sees(" · ".join(f"{self.say(word)} {number}" for word, number in known), within="#report")
        self.day.sees(self.say("About whom"), f"source.ip = {TRUE}", within="#report")

    def puts_the_rule_in_test(self) -> None:
        self.to_the_rule()
        with taken_up(self.day.product):
            self.sets_the_stage("In test", "xem lại sau đợt báo sai")
            self.day.sees(self.say("In test"), within="dl.facts")
        self.portal.logs(self._attack("203.0.113.30"))
        self.portal.raised(1, stage="test")
        self.page.reload()
        self._fact("main", "Alerts in test, 7 days").get_by_role("link", name="1", exact=True).click()
        self.day.sees(self.say("These are of rules in test: nobody has to work on them."), "203.0.113.30")
        self.day.go("Alerts")
        self.day.misses("203.0.113.30", within="#queue")

    def brings_it_to_life_against_the_budget(self) -> None:
        self.to_the_rule()
        with self.day.refused(422):
            self.sets_the_stage("Live", "đã chỉnh xong")
        self.day.sees(self.say("That cannot be done:"), within=".notice.bad")
        self.day.fill("Why it is right all the same", "tuần này có thêm người trực")
        with taken_up(self.day.product):
            self.sets_the_stage("Live", "đã chỉnh xong")
            self.day.sees(self.say("Live"), within="dl.facts")
        self.day.sees("đã chỉnh xong", "tuần này có thêm người trực", within="#history")

    def makes_an_exception(self) -> None:
        self.day.open("/alerts?status=closed")
        self._row(TRUE).first.get_by_role("link", name=self.title).click()
        self.day.follow(self.say("Make an exception"))
        expect(self.day.named("Hide what this finds")).to_have_value(re.compile(f'^source.ip:"{TRUE}"'))
        expect(self.day.named("Organisation")).to_have_value(self.org)
        self.day.fill("Hide what this finds", f"source.ip:{TRUE}")
        self.day.press("What would it hide?")
        self.day.sees(self.say("In the last 30 days it would have hidden"), within="#preview")
        for message in ("Alerts", "of them confirmed true"):
            expect(self._fact("#preview", message)).to_have_text(str(DAYS))
        self.day.fill("Reason", "máy quét của đơn vị kiểm thử")
        with self.day.refused(422):
            self.day.press("Save")
        self.day.sees(self.say("That cannot be done:"))
        self.day.fill("Why it is right all the same", "đã xác nhận là máy quét, kết luận cũ sai")
        with taken_up(self.day.product):
            self.day.press("Save")
            self.day.sees(f"source.ip:{TRUE}", "máy quét của đơn vị kiểm thử", self.org, within="#exceptions")

    def sees_what_it_hides(self) -> None:
        self.portal.logs(*[self._attack(TRUE)] * 3, self._attack("203.0.113.22"))
        self.portal.raised(4 * DAYS + 1)
        hidden = self.page.locator("#exceptions tbody td.n")

        def counted() -> bool:
            self.page.reload()
            return hidden.inner_text() == "3"

        eventually(counted, 20, "what was hidden is counted")
        assert self._today(TRUE) == []

    def raises_the_level_for_one_organisation(self) -> None:
        own = "form:has(input[name=enabled])"
        self.day.fill("Organisation", self.org, within=own)
        self.day.pick("Level", self.say("critical"), within=own)
        self.day.fill("Reason", "hệ thống trọng yếu", within=own)
        with taken_up(self.day.product):
            self.day.press("Save", within=own)
            self.day.sees(self.org, self.say("on"), self.say("critical"), within="#tuning table")
        self.portal.logs(self._attack("203.0.113.31"))
        self.portal.raised(4 * DAYS + 2)
        self.day.go("Alerts")
        expect(self._row("203.0.113.31").locator(".level")).to_have_text(self.say("critical"))
        expect(self._row("203.0.113.22").locator(".level")).to_have_text(self.say("medium"))

    def sees_that_an_exception_ends(self) -> None:
        """By the API, as the page knows no end that is nearer than tomorrow."""
        product = self.day.product
        [made] = product.get(f"/rules/{self.rule_id}")["exceptions"]
        over = datetime.now(UTC) + timedelta(seconds=8)
        kept = {
            name: made[name]
            for name in ("rule_id", "condition", "orgs", "reason", "owner", "confirm_reason", "version")
        }
        with taken_up(product):
            product.request(
                "PUT",
                f"/exceptions/{made['id']}",
                kept | {"why": "đợt kiểm thử đã xong", "expires_at": over.isoformat()},
            )
        time.sleep(max(0.0, (over - datetime.now(UTC)).total_seconds() + 0.1))  # nothing is written, time passes
        self.portal.logs(self._attack(TRUE))
        eventually(lambda: len(self._today(TRUE)) == 1, 30, "it hides nothing any more")
        assert self._today(TRUE)[0]["count"] == 1, "what was hidden stays hidden"
        self.to_the_rule()
        self.day.sees(self.say("over"), within="#exceptions")

    def sees_the_history(self) -> None:
        self.day.sees("xem lại sau đợt báo sai", "- stage: live\n+ stage: test", within="#history")
        self.day.sees("hệ thống trọng yếu", "level: critical", within="#history")
        self.day.follow(f"source.ip:{TRUE}", within="#exceptions")
        self.day.sees(self.say("History"), "đợt kiểm thử đã xong", "+ expires_at:", self.name)

    def to_the_rule(self) -> None:
        self.day.go("Rules")
        self.day.follow(self.title)
        self.day.sees(self.title, within="h1")

    def sets_the_stage(self, stage: str, reason: str) -> None:
        everywhere = "form:has(select[name=stage])"
        self.day.pick("Stage", self.say(stage), within=everywhere)
        self.day.fill("Reason", reason, within=everywhere)
        self.day.press("Save", within=everywhere)

    def _attack(self, address: str, *, ago: timedelta = timedelta()) -> str:
        path, agent = self.attack
        return office.line(address, path, agent, ago=ago)

    def _fact(self, within: str, message: str) -> Locator:
        """What a list of facts says of it."""
        return self.page.locator(f"{within} dl.facts dt", has_text=re.compile(f"^{self.say(message)}$")).locator("+ dd")

    def _row(self, address: str) -> Locator:
        return self.page.locator("#queue tbody tr").filter(has_text=self.org).filter(has_text=address)

    def _today(self, address: str) -> list[dict]:
        return [
            alert
            for alert in self.portal.raised(1)
            if alert["entity"] == address and alert["first_seen"] > (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        ]
