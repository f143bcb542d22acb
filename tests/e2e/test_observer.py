"""The observer of a running product: OTP lines in, an alert about the carrier out, however often it is killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from servers import Product, eventually
from streams import MINUTE, receipts
from test_run import children

from detector.series.definition import load
from soc.buffer.sqlite import EventLog
from soc.model.org import EVERYTHING
from soc.service.observer import Watching
from soc.settings import Settings
from soc.store.anomalies import SqliteAnomalies
from soc.store.sqlite import events_dir

pytestmark = pytest.mark.server
LEARNED = 1450  # minutes
LINES_A_MINUTE = 20


def otp_lines(path: Path) -> None:
    """A day of delivery receipts, then a carrier that loses every third message for 25 minutes."""
    start = int(time.time() * 1000) // MINUTE * MINUTE - (LEARNED + 60) * MINUTE
    lost = {"mobifone": (LEARNED, LEARNED + 25, 0.35)}
    with path.open("w") as out:
        for n, event in enumerate(receipts(LEARNED + 40, LINES_A_MINUTE, 7, lost, start)):
            fields = event.event.fields
            good = fields["event.outcome"] == "success"
            at = datetime.fromtimestamp(event.ts / 1000, UTC).isoformat()
            line = {"time": at, "event": "dlr", "request_id": f"r{n}", "phone": "0961234567", "channel": "sms",
                    "carrier": fields["govsoc.otp.carrier"], "status": "DELIVRD" if good else "EXPIRED",
                    "latency_ms": fields["govsoc.otp.latency_ms"]}  # fmt: skip
            out.write(json.dumps(line) + "\n")


def undisturbed(product: Product, place: Path) -> list:
    """What an observer makes of the same event log that nobody kills."""
    shutil.copytree(events_dir(product.data_dir), events_dir(place))
    log, kept = EventLog(events_dir(place)), SqliteAnomalies(place)
    Watching(Settings(data_dir=place), log, kept, load()).drain()
    log.close()
    return everything(kept)


def everything(kept: SqliteAnomalies) -> list:
    rows = [(board, list(kept.rows(board, 0))) for board in sorted(kept.boards())]
    found = kept.list(EVERYTHING, limit=1000)
    kept.close()
    return [rows, found]


def test_a_carrier_that_loses_messages_is_an_alert_however_often_the_observer_is_killed(product, tmp_path):
    otp_lines(tmp_path / "otp.log")
    product.soc("replay", str(tmp_path / "otp.log"), "--source-type", "otp.gateway", "--org", "hungyen")
    product.env["SOC_OBSERVE__BATCH"] = "700"
    product.env["SOC_OBSERVE__COMMIT_S"] = "0.05"
    product.start()
    rng, killed = random.Random(1), 0
    for _ in range(4):
        if pid := children(product).get("observe"):
            time.sleep(rng.uniform(0.6, 1.6))
            os.kill(pid, signal.SIGKILL)
            killed += 1
        eventually(lambda: "observe" in children(product), 30, "the observer is started again")

    def called() -> list[dict]:
        return [one for one in product.alerts() if one["rule_id"].startswith("anomaly-")]

    alerts = eventually(called, 90, "an alert about the carrier")
    assert killed >= 3
    assert {(one["rule_id"], one["entity"]) for one in alerts} == {("anomaly-otp-delivery", "mobifone")}
    (alert,) = alerts
    page = product.get(f"/anomalies?alert={alert['id']}")["items"]
    assert page
    shown = product.get(f"/anomalies/{page[0]['id']}")
    assert shown["actual"] > shown["upper"]
    lines = (LEARNED + 40) * LINES_A_MINUTE
    eventually(lambda: SqliteAnomalies(product.data_dir).cursor() and _read(product) == lines, 60, "all is read")
    product.stop()
    assert everything(SqliteAnomalies(product.data_dir)) == undisturbed(product, tmp_path / "calm")


def _read(product: Product) -> int:
    return sum(SqliteAnomalies(product.data_dir).cursor().values())
