"""From a pasted line to a green page, in a real browser; and a real nginx through a real rsyslog with the printed configuration."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from servers import both_stores, eventually, need, stop

from deploy.ports import free_port

pytestmark = pytest.mark.server
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
ATTACK = "id=1%27%20UNION%20SELECT%20password%20FROM%20users--%20&sdt=0912345678"


def line(query: str = "id=7") -> str:
    now = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    return f'203.0.113.7 - - [{now}] "GET /?{query} HTTP/1.1" 200 512 "-" "<script>document.title=1</script>"'


def push(product, token: str, body: str) -> int:
    request = urllib.request.Request(
        product.ingest_url, body.encode(), {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
    )
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@contextmanager
def window(product):
    """A browser window that fails the test on any script error or blocked resource."""
    need("chromium")
    wrong: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_context(base_url=product.url, locale="en-US").new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        yield page
        browser.close()
    assert wrong == []


def photograph(page, name: str, **options) -> None:
    if folder := os.environ.get("SOC_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", **options)


def sign_in(page, product) -> None:
    password = re.search(r"with the password \(shown once\): (\S+)", product.log.read_text())[1]
    page.goto("/")
    page.fill("input[name=name]", "admin")
    page.fill("input[name=password]", password)
    page.click("button.main")
    page.wait_for_url("**/alerts")


def test_the_page_turns_green_after_one_line(product):
    product.start()
    with window(product) as page:
        sign_in(page, product)
        page.goto("/sources")
        page.click("text=Connect a source")
        page.fill("textarea[name=lines]", line(ATTACK) + "\nnot a line\n")
        page.click("text=See what would become of them")
        preview = page.locator("#preview")
        expect(preview).to_contain_text("nginx: access log: 50 %")
        expect(preview).to_contain_text("SQL Injection in a Request")
        expect(preview).to_contain_text("phone number: 1")
        assert "0912345678" not in preview.inner_text()
        assert page.title() == "Connect a source · govsoc"
        photograph(page, "connect-a-source", full_page=True)
        page.fill(".enrol input[name=name]", "portal")
        page.fill(".enrol input[name=org]", "hungyen")
        page.check(".enrol input[value=push]")
        page.click("text=Enrol, and show how to send")
        token = page.locator("#token").inner_text()
        expect(page.locator("#check")).to_contain_text("Waiting for the first line")

        def told() -> bool:  # the collector hears of a new source within a second or two
            assert push(product, token[:-4], line()) == 401
            return "wrong token" in page.locator("#check").inner_text()

        eventually(told, 30, "the page says that the token is wrong")
        assert eventually(lambda: push(product, token, line()) == 200, 10)
        expect(page.locator("#check .fresh.live")).to_be_visible()
        expect(page.locator("#check")).to_contain_text("Nothing is left to do.")
        photograph(page, "source", full_page=True)


@pytest.fixture
def rsyslog(tmp_path):
    """`start(configuration)`: a real rsyslog that holds nothing but what was pasted."""
    need("rsyslogd")
    program = shutil.which("rsyslogd", path="/usr/sbin:/sbin:" + os.environ["PATH"])
    started = []

    def start(pasted: str) -> None:
        work = tmp_path / "rsyslog"
        work.mkdir()
        (work / "90-govsoc.conf").write_text(pasted)
        main = work / "rsyslog.conf"
        main.write_text(f'global(workDirectory="{work}")\n$IncludeConfig {work}/90-govsoc.conf\n')
        checked = subprocess.run([program, "-N1", "-f", str(main)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        started.append(subprocess.Popen([program, "-n", "-f", str(main), "-i", str(work / "pid")]))

    yield start
    for process in started:
        stop(process)


def diagnosis(product, source: str) -> dict:
    return json.loads(product.soc("sources", "check", source, "--json", check=False).stdout)


@both_stores
def test_a_real_nginx_through_a_real_rsyslog_with_the_printed_configuration(product, nginx, rsyslog):
    product.start()
    product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--from", "127.0.0.1")
    assert diagnosis(product, "portal")["state"] == "waiting"
    printed = product.soc("sources", "config", "portal", "--host", "127.0.0.1", "--path", str(nginx.access_log)).stdout
    rsyslog(printed.decode())
    urllib.request.urlopen(f"{nginx.url}/thu-tuc-1.html", timeout=300).close()
    eventually(lambda: diagnosis(product, "portal")["works"], 40, "the source is green")
    [event] = eventually(lambda: product.get("/events?q=govsoc.source.id:portal")["items"], 30, "its event is found")
    assert event["fields"]["event.dataset"] == "nginx.access"
    assert event["fields"]["url.path"] == "/thu-tuc-1.html"


def test_nginx_by_itself_with_the_printed_configuration(product, tmp_path):
    need("nginx")
    product.start()
    product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--from", "127.0.0.1")
    file = tmp_path / "access.log"
    printed = product.soc(
        "sources", "config", "portal", "--for", "nginx", "--host", "127.0.0.1", "--path", str(file)
    ).stdout.decode()
    (tmp_path / "govsoc.conf").write_text(printed)
    port = free_port()
    temporary = "".join(f"{kind}_temp_path {tmp_path}/{kind}; " for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; user root; pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{ client_body_temp_path {tmp_path}/body; {temporary} include {tmp_path}/govsoc.conf;\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ return 200; }} }} }}\n"
    )
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    process = subprocess.Popen([program, "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "error.log")])
    try:

        def asked() -> bool:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/x", timeout=60).close()
            except OSError:
                return False
            return diagnosis(product, "portal")["works"]

        eventually(asked, 30, "the source is green")
        assert file.read_text().count('"GET /x')
    finally:
        stop(process)


def test_an_address_that_is_not_enrolled_is_named(product):
    product.start()
    product.soc("sources", "add", "srv", "--type", "syslog", "--org", "hungyen", "--from", "10.255.255.1")
    with socket.create_connection(("127.0.0.1", product.syslog_port)) as sender:
        sender.sendall(b"<34>1 2026-11-22T10:00:00Z host su - - - 'su root' failed\n")
    eventually(lambda: diagnosis(product, "srv")["senders"] == ["127.0.0.1"], 20, "the sender is named")
