"""`soc run` itself: the demonstration, and minding its processes."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest
from servers import Product, both_stores, eventually, every_store

pytestmark = pytest.mark.server


def children(product: Product) -> dict[str, int]:
    """Verb -> process id of what `soc run` has started."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")")[-1].split()[1])
            command = (stat.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == product.process.pid and len(command) > 3:  # a zombie has no command line
            found[command[3].decode()] = int(stat.parent.name)
    return found


@both_stores
def test_the_demonstration_raises_alerts_of_what_really_happens(product):
    product.start("--demo")
    alerts = eventually(product.alerts, 60, "the first alert")
    truth = [json.loads(line) for line in (product.data_dir / "demo" / "incidents.ndjson").read_text().splitlines()]
    assert truth
    assert {alert["org"] for alert in alerts} == {"demo-province"}
    assert {alert["entity"] for alert in alerts} & {str(value) for incident in truth for value in incident.values()}
    assert "sign in as admin with the password" in product.log.read_text()


@every_store
def test_a_killed_process_is_started_again_and_a_second_start_asks_for_no_password(product):
    product.start()
    first = children(product)
    assert set(first) == {"collect", "detect", "observe", "serve"}
    for pid in first.values():
        os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: set(children(product)) == set(first) and not set(children(product).values()) & set(first.values()),
        60,
        "started again",
    )
    eventually(product.ready, 60, "ready again")
    product.stop()
    assert product.process.returncode == 0
    assert not children(product)
    product.start()
    assert product.log.read_text().count("shown once") == 1


def test_no_process_outlives_a_killed_soc_run(product):
    product.start()
    started = children(product)
    product.process.kill()
    product.process.wait()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started.values()), 30, "they have ended")
    product.start()


@both_stores
def test_an_address_that_is_not_enrolled_is_not_dropped_in_silence(product):
    product.start()
    with socket.create_connection(("127.0.0.1", product.syslog_port)) as sender:
        sender.sendall(b"<34>1 2026-11-22T10:00:00Z host su - - - 'su root' failed\n")
    found = eventually(lambda: product.get("/events?q=organization.id:unassigned")["items"], 30, "a dead letter")
    assert "127.0.0.1" not in found[0]["fields"]["error.message"]
    assert "soc sources add" in found[0]["fields"]["error.message"]
