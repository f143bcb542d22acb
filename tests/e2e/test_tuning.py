"""Tuning while everything runs: an exception made through the API hides and counts the next attack, and stops hiding when it is over."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from servers import both_stores, eventually

pytestmark = pytest.mark.server

SQLI = "/tin?id=1%20UNION%20ALL%20SELECT%20NULL%2CNULL%2CNULL--%20-"


def send(product, method, path, body):
    request = urllib.request.Request(
        f"{product.url}/api/v1{path}",
        data=json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"Bearer {product.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer) if answer.status != 204 else None


class Portal:
    """Writes an access log as nginx does."""

    def __init__(self, path):
        self.path = path
        self.path.touch()

    def attacked(self, address, times=3):
        now = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        line = f'{address} - - [{now}] "GET {SQLI} HTTP/1.1" 200 1000 "-" "Mozilla/5.0"\n'
        with self.path.open("a") as file:
            file.write(line * times)
            file.flush()
            os.fsync(file.fileno())


def hidden(product, rule_id, exception_id):
    rows = product.get(f"/rules/{rule_id}")["hidden"]
    return sum(row["events"] for row in rows if row["exception_id"] == exception_id)


def tuned(product, versions):
    """Wait until the detector works with so many versions of what was laid down."""
    eventually(lambda: product.metric("soc_detector_tuning_versions") >= versions, 30, "the detector has heard of it")
    return versions


@both_stores
def test_an_exception_works_at_once_and_ends_by_itself(product, tmp_path):
    portal = Portal(tmp_path / "access.log")
    product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--path", str(portal.path))
    product.start()
    portal.attacked("198.51.100.1")
    eventually(product.alerts, 60, "the attack is seen")
    rule_id = product.alerts()[0]["rule_id"]
    rules = {alert["rule_id"] for alert in product.alerts()}

    made, laid = {}, 0
    body = {"condition": "source.ip:198.51.100.2", "orgs": ["hungyen"], "reason": "our scanner"}
    for rule in rules:
        made[rule] = send(product, "POST", "/exceptions", body | {"rule_id": rule})["id"]
    laid = tuned(product, laid + len(rules))
    portal.attacked("198.51.100.2")
    eventually(lambda: hidden(product, rule_id, made[rule_id]) == 3, 30, "the attack is hidden and counted")
    portal.attacked("198.51.100.3")
    eventually(lambda: "198.51.100.3" in {a["entity"] for a in product.alerts()}, 30, "others are seen as before")
    assert "198.51.100.2" not in {alert["entity"] for alert in product.alerts()}

    over = datetime.now(UTC) + timedelta(seconds=8)
    for rule in rules:
        change = body | {"rule_id": rule, "version": 1, "why": "the scan ends", "expires_at": over.isoformat()}
        send(product, "PUT", f"/exceptions/{made[rule]}", change)
    laid = tuned(product, laid + len(rules))
    time.sleep(max(0.0, (over - datetime.now(UTC)).total_seconds() + 0.1))  # nothing is written, time passes
    portal.attacked("198.51.100.2", times=2)
    eventually(lambda: "198.51.100.2" in {a["entity"] for a in product.alerts()}, 30, "it is over")
    [again] = [a for a in product.alerts() if a["entity"] == "198.51.100.2" and a["rule_id"] == rule_id]
    assert again["count"] == 2, "what was hidden stays hidden"
    assert hidden(product, rule_id, made[rule_id]) == 3

    for rule in rules:
        send(product, "PUT", f"/rules/{rule}/setting", {"version": 0, "stage": "test", "reason": "to be looked at"})
    tuned(product, laid + len(rules))
    portal.attacked("198.51.100.4")
    in_test = eventually(
        lambda: product.get(f"/alerts?stage=test&rule_id={rule_id}")["items"], 30, "in test it is kept"
    )
    assert {alert["entity"] for alert in in_test} == {"198.51.100.4"}
    assert "198.51.100.4" not in {alert["entity"] for alert in product.alerts()}
    assert product.get(f"/rules/{rule_id}")["tested"] == 1
