"""`soc run` tells of a real alert: by mail at once, and a webhook that was down as soon as it is back."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest
from receivers import Hook, Mailbox
from servers import Product, both_stores, eventually

pytestmark = pytest.mark.server

AGENT = "<script>alert(1)</script> sqlmap/1.7 \\x22\\x0d\\x0aBcc: everybody@example.vn"


@pytest.fixture
def receivers():
    mailbox, hook = Mailbox(), Hook()
    mailbox.start()
    yield mailbox, hook
    mailbox.stop()
    hook.stop()


@pytest.fixture
def product(data_dir, store, receivers):
    mailbox, _ = receivers
    settings = {
        "SOC_NOTIFY__SMTP_HOST": "127.0.0.1",
        "SOC_NOTIFY__SMTP_PORT": str(mailbox.port),
        "SOC_NOTIFY__SMTP_SECURITY": "none",
        "SOC_NOTIFY__ALLOWED_NETWORKS": '["127.0.0.0/8"]',
        "SOC_SERVE__PUBLIC_URL": "https://soc.example.vn",
    }
    product = Product(data_dir, store | settings)
    yield product
    product.stop()


def post(product, path, body=None):
    request = urllib.request.Request(
        f"{product.url}/api/v1{path}",
        json.dumps(body or {}).encode(),
        {"Authorization": f"Bearer {product.key}", "Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


def pushed(product, token, body):
    request = urllib.request.Request(product.ingest_url, body, {"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        if error.code not in (401, 429):  # on a server, a new source is known within a second
            pytest.fail(error.read().decode())
        return False


@both_stores
def test_a_real_alert_reaches_people(product, receivers):
    mailbox, hook = receivers
    product.start()
    mail = {"name": "Trực ban", "channel": "email", "addresses": ["lan@example.vn"], "level": "low", "language": "en"}
    webhook = {"name": "Zalo", "channel": "webhook", "url": hook.url, "level": "low"}
    post(product, "/routes", mail)
    made = post(product, "/routes", webhook)
    hook.secret = made["secret"]
    assert "Connection refused" in product.soc("notify", "test", made["id"], check=False).stdout.decode()
    assert made["secret"] not in product.soc("notify", "routes", "--json").stdout.decode()
    token = next(
        word
        for word in product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "H42", "--push").stdout.decode().split()
        if word.startswith("govsoc_src_")
    )  # fmt: skip
    now = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    line = f'203.0.113.7 - - [{now}] "GET /?id=1%27%20UNION%20SELECT%20password%20FROM%20users-- HTTP/1.1" 200 512 "-" "{AGENT}"\n'
    eventually(lambda: pushed(product, token, (line * 3).encode()), 10, "the collector knows the source")
    alerts = eventually(product.alerts, 30, "an alert")
    eventually(lambda: len(mailbox.mails) == len(product.alerts()), 30, "the mails")
    eventually(lambda: "notifications do not go out" in product.log.read_text(), 30, "the webhook is found away")
    hook.start()
    eventually(lambda: {a["id"] for d in hook.got for a in d["alerts"]} >= {a["id"] for a in alerts}, 60, "the webhook")
    for letter in mailbox.mails:
        assert set(letter.keys()) & {"Bcc", "Cc"} == set()
        assert "<script" not in letter.get_body(("html",)).get_content()
        assert "https://soc.example.vn/alerts/" in letter.get_body(("plain",)).get_content()
    assert product.get("/deliveries?state=failed")["items"] == []
    assert made["secret"] not in product.log.read_text()
    assert product.log.read_text().count("notifications do not go out") == 1
