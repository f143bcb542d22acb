"""Elasticsearch goes away and comes back while govsoc runs, and while it is started again."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from servers import Product, eventually, stop

from deploy.elasticsearch.cluster import Node

pytestmark = pytest.mark.server
on_elasticsearch = pytest.mark.parametrize("store", ["elasticsearch"], indirect=True)


def attack(number: int) -> bytes:
    stamp = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    request = f"GET /tra-cuu?ma={number}%27%20UNION%20SELECT%20ten,so%20FROM%20ho_so-- HTTP/1.1"
    return f'203.0.113.9 - - [{stamp}] "{request}" 200 512 "-" "Mozilla/5.0"'.encode()


def push(product: Product, token: str, body: bytes) -> int | None:
    """The status, None when nobody answers."""
    request = urllib.request.Request(product.ingest_url, data=body, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def probe(product: Product) -> tuple[int, str] | None:
    """Status and reason of `/readyz`, None when nobody answers."""
    try:
        with urllib.request.urlopen(f"{product.url}/readyz", timeout=300) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["detail"]
    except OSError:
        return None


@pytest.fixture
def server(elastic) -> Iterator[Node]:
    """The node that the product works on, running again after the test."""
    node = elastic.nodes[0]
    yield node
    if not node.running:
        node.start()


def send(product: Product, text: str) -> None:
    with socket.create_connection(("127.0.0.1", product.syslog_port)) as sender:
        sender.sendall(f"<86>1 {datetime.now(UTC).isoformat()} may-chu sshd 7 - - {text}\n".encode())


@on_elasticsearch
def test_sources_go_on_also_after_a_restart_and_everything_arrives_once(product, server):
    token = product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--push")
    token = next(word for word in token.stdout.decode().split() if word.startswith("govsoc_src_"))
    product.soc("sources", "add", "server", "--type", "syslog", "--org", "hungyen", "--from", "127.0.0.1")
    product.start()
    eventually(lambda: push(product, token, attack(0)) == 200, 10, "the token is known")
    eventually(product.alerts, 60, "an alert")

    server.stop()
    assert push(product, token, attack(1)) == 200
    send(product, "Failed password for root from 203.0.113.9 port 1 ssh2")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        product.get("/alerts")

    product.stop()
    assert product.process.returncode == 0
    with product.log.open("ab") as log:
        product.process = subprocess.Popen(
            [sys.executable, "-m", "soc", "run"], env=product.env, stdout=log, stderr=log
        )
    eventually(lambda: push(product, token, attack(2)) == 200, 60, "known sources are taken after the restart")
    assert push(product, "govsoc_src_wrong", attack(3)) == 401
    send(product, "Failed password for root from 203.0.113.10 port 2 ssh2")
    status, why = eventually(lambda: probe(product), 60, "the API answers")
    assert (status, why[: len("Elasticsearch at")]) == (503, "Elasticsearch at")

    server.start()
    eventually(product.ready, 120, "ready again")

    def stored() -> list[dict]:
        return [item["fields"] for item in product.get("/events?limit=200&q=organization.id:hungyen")["items"]]

    eventually(lambda: len(stored()) >= 5, 60, "three requests and two messages")
    time.sleep(2)
    events = stored()
    assert sorted(event["event.dataset"] for event in events) == ["linux.auth"] * 2 + ["nginx.access"] * 3
    sql = [alert for alert in product.alerts() if alert["entity"] == "203.0.113.9" and "SQL" in alert["title"]]
    eventually(lambda: product.alerts()[-1]["count"] == 3, 60, f"all three are in the alert: {sql}")
    assert "Traceback" not in product.log.read_text()


@on_elasticsearch
def test_a_start_before_the_server_waits_for_it_and_says_why(product, server):
    server.stop()
    with product.log.open("ab") as log:
        product.process = subprocess.Popen(
            [sys.executable, "-m", "soc", "run"], env=product.env, stdout=log, stderr=log
        )
    eventually(lambda: "waiting for the store" in product.log.read_text(), 30, "it says that it waits")
    assert "nobody listens there" in product.log.read_text()
    answer = product.soc("alerts", "list", check=False)
    assert answer.returncode == 2
    assert answer.stderr.decode().startswith("soc: Elasticsearch at http://127.0.0.1:")
    assert len(answer.stderr.splitlines()) == 1
    server.start()
    eventually(product.ready, 120, "ready")
    assert "sign in as admin with the password" in product.log.read_text()
    stop(product.process)


@on_elasticsearch
def test_a_wrong_address_or_setting_is_one_line(product):
    for name, value, expected in (
        ("SOC_STORE__URL", "elastic.example:9200", "is not a URL"),
        ("SOC_STORE__API_KEY", "a b", "store.api_key holds a space"),
    ):
        answer = product.soc("run", check=False, env={name: value})
        assert answer.returncode == 2
        assert expected in answer.stderr.decode()
        assert len(answer.stderr.splitlines()) == 1


def test_a_wrong_key_ends_the_start_in_one_line(product, secured_server):
    secured = {"SOC_STORE__URL": secured_server.url, "SOC_STORE__CA_FILE": str(secured_server.ca)}
    answer = product.soc("run", check=False, env=secured | {"SOC_STORE__API_KEY": "d3Jvbmc6d3Jvbmc="})
    assert answer.returncode == 2
    *waiting, last = answer.stderr.decode().splitlines()
    assert "does not know the API key: look at store.api_key" in last
    assert "d3Jvbmc6d3Jvbmc=" not in answer.stderr.decode()
    assert "Traceback" not in answer.stderr.decode()
    assert all("waiting for the store" in line for line in waiting)
