"""The day of a commune's IT helper: from a pasted line to a green page, and what it says when something is wrong."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import office
from day import Day
from playwright.sync_api import expect
from servers import eventually

PHONE = "0987654321"
BROKEN = "\x7fELF\x02\x01\x01\x00\x00 \x03"


class Helper:
    def __init__(self, day: Day, org: str, sender: str) -> None:
        """`sender`: an address of this machine that nobody else sends from."""
        self.day, self.say, self.page, self.org, self.sender = day, day.say, day.page, org, sender
        self.name, self.source = f"hoa-{day.language}", f"{org.lower()}-cong"
        self.password = office.account(day.product, self.name, "admin", org)

    def signs_in(self) -> None:
        self.day.open("/")
        self.day.sign_in(self.name, self.password)
        self.day.sees(self.say("No new alerts. All is quiet."))

    def pastes_lines(self) -> None:
        self.day.go("Sources")
        self.day.follow(self.say("Connect a source"))
        self.day.sees(self.say("They are parsed and masked here, and not kept."))
        attack = office.line("203.0.113.7", f"{office.SQLI}&sdt={PHONE}", office.HOSTILE)
        self.day.fill(
            "Lines of the log", "\n".join((attack, office.line("203.0.113.8", "/"), "khong phai nhat ky", BROKEN))
        )
        self.day.press("See what would become of them")
        self.day.sees(self.say("nginx: access log"), "67 %", self.say("Parsed"), within="#preview")
        self.day.sees(f"{self.say('Lines that are no text (binary), not shown:')} 1", within="#preview")
        self.day.sees(f"{self.say('phone number')}: 1", within="#preview")
        self.day.sees(
            self.say("Rules that would match"), office.title("sql_injection", self.day.language), within="#preview"
        )
        self.day.sees(
            "203.0.113.7", "url.path", "<script>", "khong phai nhat ky", self.say("Not parsed"), within="#preview"
        )
        assert PHONE not in self.page.content()

    def enrols(self) -> None:
        self.day.fill("Short name: small letters, digits, . - _", self.source, within=".enrol")
        self.day.fill("Name for people", "Cổng dịch vụ công", within=".enrol")
        expect(self.day.named("Agency code", within=".enrol")).to_have_value(self.org)
        self.day.named("System", within=".enrol").select_option("motcua")
        self.day.choose("HTTP, with a token")
        self.day.press("Enrol, and show how to send")
        self.day.sees("Cổng dịch vụ công", within="h1")
        self.day.sees(self.say("Waiting for the first line"), within="#check")
        self.day.sees(self.say("Configuration to paste on the sender"), within="#config")
        self.token = self.page.locator("#token").inner_text()
        self.printed = self.page.locator("#config pre").first.inner_text()

    def sends_with_a_token_that_was_cut_short(self) -> None:
        self._until("Requests come with a wrong token", lambda: self._sends(self.token[:-4], 401))
        self.day.sees(
            self.say(
                "The token was renewed, revoked or cut short. Copy the whole token into the sender, or renew it here."
            )
        )

    def sends_as_it_is_printed(self) -> None:
        """What stands in the printed command, word by word; who looks at the console on its own machine puts in where that is."""
        words = shlex.split(self.printed.replace("\\\n", " "), comments=True)
        assert words[0] == "curl"
        assert f"Authorization: Bearer {self.token}" in words
        assert words[-1].replace("GOVSOC", "127.0.0.1") == self.day.product.ingest_url
        self._until(
            "Receiving: its lines arrive, are parsed, and their times are right", lambda: self._sends(self.token)
        )
        expect(self.page.locator("#check .fresh.live")).to_be_visible()
        self.day.sees(self.say("Nothing is left to do."), within="#check")

    def sends_with_a_clock_that_is_ahead(self) -> None:
        self._until(
            "Lines arrive, and their times lie in the future",
            lambda: self._sends(self.token, ago=timedelta(minutes=-20)),
        )
        self.day.sees("20", self.say("minutes"), "NTP", within="#check")

    def sends_in_another_zone(self) -> None:
        """As a machine in UTC writes it whose lines name no zone."""
        self.day.go("Sources")
        self.day.follow(self.say("Connect a source"))
        self.day.fill("Short name: small letters, digits, . - _", f"{self.source}-loi", within=".enrol")
        self.day.named("Type", within=".enrol").select_option("nginx.error")
        self.day.choose("HTTP, with a token")
        self.day.press("Enrol, and show how to send")
        token = self.page.locator("#token").inner_text()

        def sends() -> bool:
            at = datetime.now(UTC).strftime("%Y/%m/%d %H:%M:%S")
            said = f'{at} [error] 31#31: *7 open() "/srv/x" failed (2: No such file or directory), client: 203.0.113.8'
            return office.push(self.day.product.ingest_url, token, said) == 200

        self._until("Lines arrive, and their times are of another zone", sends)
        self.day.sees(
            self.say("Enrol the source with this zone, or set the zone of the sender:"), "+00:00", within="#check"
        )

    def connects_a_machine_by_syslog(self) -> None:
        """The other way of the form: known by its address, which is one of this machine's own."""
        self.day.open("/sources/new")
        self.day.fill("Short name: small letters, digits, . - _", f"{self.source}-may", within=".enrol")
        self.day.named("Type", within=".enrol").select_option("nginx.access")
        self.day.choose("syslog (rsyslog, nginx), known by its address")
        self.page.get_by_role("textbox", name=self.say("Addresses that send"), exact=True).fill(self.sender)
        self.day.press("Enrol, and show how to send")
        self.day.sees("omfwd", f'port="{self.day.product.syslog_port}"', within="#config")
        assert self.page.locator("#token").count() == 0

        def sends() -> bool:
            where = ("127.0.0.1", self.day.product.syslog_port)
            said = f"<190>1 {datetime.now(UTC).isoformat()} may-chu nginx - - - {office.line('203.0.113.8', '/')}\n"
            with socket.create_connection(where, source_address=(self.sender, 0)) as sender:
                sender.sendall(said.encode())
            return True

        self._until("Receiving: its lines arrive, are parsed, and their times are right", sends)

    def renews_and_revokes_the_token(self) -> None:
        self.day.open(f"/sources/{self.source}")
        self.day.press("Renew the token")
        self.day.sees(
            self.say("It is shown now and never again: copy it to the sender. Below it stands where it belongs.")
        )
        old, self.token = self.token, self.page.locator("#token").inner_text()
        eventually(lambda: self._sends(old, 401), 20, "the token of before is refused")
        self._until(
            "Receiving: its lines arrive, are parsed, and their times are right", lambda: self._sends(self.token)
        )
        self.day.press("Revoke the token")
        self._until("Requests come with a wrong token", lambda: self._sends(self.token, 401))
        assert self.page.locator("#token").count() == 0

    def sees_what_is_covered(self) -> None:
        self.day.go("Sources")
        self.day.sees("Cổng dịch vụ công", self.say("Receiving"), self.org, within="#sources")
        self.day.go("Coverage")
        row = self.page.locator("#coverage tbody tr")
        expect(row).to_have_count(1)
        self.day.sees(self.org, within="#coverage")
        row.locator("a.fresh[href*='system=motcua']").click()
        self.page.wait_for_url(re.compile(r"/sources\?org="))
        self.day.sees("Cổng dịch vụ công", within="#sources")

    def _sends(self, token: str, status: int = 200, *, ago: timedelta = timedelta()) -> bool:
        line = office.line("203.0.113.8", "/thu-tuc-1.html", ago=ago)
        return office.push(self.day.product.ingest_url, token, line) == status

    def _until(self, message: str, send: Callable[[], bool]) -> None:
        """Send again and again, as senders do, until it is answered as it should be and the page says by itself what is the matter."""
        check = self.page.locator("#check")
        eventually(lambda: send() and self.say(message) in check.inner_text(), 30, f"the page says: {message}")
        self.day.look()
