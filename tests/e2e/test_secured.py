"""The whole product on a cluster with TLS and API keys, with the key of the processes: it may what they need, and is shown to nobody."""

from __future__ import annotations

import base64
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from elastic import event_ids, set_up
from load import Pushes, all_there_once, enrol, indexed, logged_ids, push, said
from servers import Product, eventually, on_secured

pytestmark = [pytest.mark.server, on_secured]

ATTACKER = "203.0.113.9"


def line(address: str, request: str) -> str:
    stamp = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{address} - - [{stamp}] "GET {request} HTTP/1.1" 200 512 "-" "Mozilla/5.0"'


def attack(number: int) -> str:
    return line(ATTACKER, f"/tra-cuu?ma={number}%27%20UNION%20SELECT%20ten,so%20FROM%20ho_so--")


def ordinary(count: int) -> list[str]:
    return [line(f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}", f"/trang/{i}") for i in range(count)]


def secrets_in(key: str) -> list[bytes]:
    """Forms that a key could be shown in: as it is set, and as it is made up of an id, which is no secret, and the rest."""
    return [key.encode(), base64.b64decode(key).split(b":", 1)[1]]


def written(product: Product) -> dict[str, bytes]:
    """Everything that the product has written on this machine."""
    files = [product.log, *(path for path in product.data_dir.rglob("*") if path.is_file())]
    return {str(path): path.read_bytes() for path in files}


def checks(product: Product) -> tuple[int, list[dict], bytes]:
    """Exit code of `soc doctor`, what it found, and its whole output."""
    done = product.soc("doctor", "--json", check=False)
    return done.returncode, [orjson.loads(one) for one in done.stdout.splitlines()], done.stdout + done.stderr


def complaints_of(product: Product) -> Counter[tuple[str, str]]:
    """What the log says and why, of all lines that give a reason, and how often."""
    said = [orjson.loads(one) for one in product.log.read_text().splitlines() if one.startswith("{")]
    return Counter((one["event"], one["reason"]) for one in said if "reason" in one)


def test_the_processes_do_all_their_work_with_the_writers_key(product, store, secured):
    token = enrol(product)
    product.start()
    push(product, token, [*ordinary(500), attack(1)])

    alert = eventually(product.alerts, 60, "an alert")[0]
    assert (alert["entity"], alert["org"]) == (ATTACKER, "hungyen")
    product.soc("accounts", "add", "an", "--role", "analyst", "--org", "hungyen")
    analyst = product.soc("accounts", "key", "an").stdout.decode().split()[-1]
    decision = {"version": alert["version"], "status": "closed", "verdict": "true_positive", "comment": "đã chặn"}
    closed = product.request("PATCH", f"/alerts/{alert['id']}", decision, key=analyst)
    assert closed["status"] == "closed"
    assert product.request("GET", f"/alerts/{alert['id']}", key=analyst)["verdict"] == "true_positive"

    def found(query: str) -> list[dict]:
        return product.request("GET", f"/events?q={query}", key=analyst)["items"]

    eventually(lambda: found(f"source.ip:{ATTACKER}"), 60, "the attack is found")
    assert [item["fields"]["url.path"] for item in found("url.path:%22/trang/499%22")] == ["/trang/499"]
    assert all_there_once(product, secured, 501)
    assert event_ids(secured) == logged_ids(product.data_dir)

    code, doctor, output = checks(product)
    assert code == 0
    known = (
        "disk",
        "list blocked_addresses",
        "backup",
    )  # this machine's, and a list and a backup that nobody has made here
    assert [check for check in doctor if check["state"] != "ok" and check["name"] not in known] == []
    product.stop()
    assert product.process.returncode == 0
    outputs = written(product) | {"soc doctor": output, "soc alerts": product.soc("alerts", "list").stdout}
    for secret in (secured.password.encode(), *secrets_in(store["SOC_STORE__API_KEY"])):
        assert [name for name, text in outputs.items() if secret in text] == []
    assert b"Traceback" not in outputs[str(product.log)]


def test_a_key_that_expires_under_load_costs_nothing_but_time(product, store, secured):
    old = store["SOC_STORE__API_KEY"]
    token = enrol(product)
    product.start()
    began = time.monotonic()
    with Pushes(product, token, ordinary(100_000), at_once=50) as pushes:
        eventually(lambda: indexed(product) >= 500, 60, "the first events are indexed")
        id_ = base64.b64decode(old).split(b":")[0].decode()
        secured.request("PUT", f"/_security/api_key/{id_}", {"expiration": "1s"})
        eventually(lambda: said(product, "has to wait"), 30, "the indexer says that it waits")
        stuck_at = indexed(product)
        push(product, token, [attack(1)])
        eventually(lambda: said(product, "cannot go on for now"), 30, "so does the detector")
        dead_from = pushes.accepted
        eventually(lambda: pushes.accepted > dead_from + 1000, 60, "ingest goes on")
        assert indexed(product) == stuck_at
        assert product.metric("soc_indexer_behind_seconds") > 1
        complaints = complaints_of(product)
        advice = "Make a new one (soc setup elasticsearch --renew-keys), put it into store.api_key and restart govsoc"
        assert {reason for _, reason in complaints} == {
            f"Elasticsearch at {secured.url} refuses the API key: it has expired. {advice}"
        }
        assert max(complaints.values()) <= 1 + (time.monotonic() - began) // 60, "not at each try"
        code, doctor, _ = checks(product)
        assert code == 3
        assert any(check["name"] == "store" and "it has expired" in check["found"] for check in doctor)
    product.stop()
    logged = logged_ids(product.data_dir)
    assert len(logged) == pushes.accepted + 1

    new = set_up(secured, "--renew-keys")["govsoc-writer"]
    product.env["SOC_STORE__API_KEY"] = new
    product.start()
    eventually(lambda: len(event_ids(secured)) >= len(logged), 60, "everything is indexed")
    eventually(product.alerts, 60, "the attack is alerted")
    push(product, token, [attack(2)])
    eventually(lambda: product.alerts()[0]["count"] == 2, 60, "the next attack, examined after everything before it")
    assert [alert["entity"] for alert in product.alerts()] == [ATTACKER], "once"
    eventually(lambda: len(event_ids(secured)) > len(logged), 60, "and indexed")
    assert event_ids(secured) == logged_ids(product.data_dir)
    product.stop()
    outputs = written(product)
    for secret in (secured.password.encode(), *secrets_in(old), *secrets_in(new)):
        assert [name for name, text in outputs.items() if secret in text] == []
    assert b"Traceback" not in outputs[str(product.log)]
