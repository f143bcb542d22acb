"""Rules change while events stream in: nothing is lost, windows go on, and what was imported runs, all in the real processes."""

from __future__ import annotations

import threading
import zipfile
from datetime import UTC, datetime

import pytest
from servers import both_stores, eventually

pytestmark = pytest.mark.server

IDS = [f"3f6e8f0a-0000-4000-8000-00000000000{n}" for n in range(5)]
STEADY = f"""
title: Every probe
id: {IDS[0]}
name: probe
logsource: {{category: webserver}}
detection: {{s: {{url.path|startswith: /probe}}, condition: s}}
---
title: Many probes
id: {IDS[1]}
level: high
correlation: {{type: event_count, rules: [probe], generate: true, group-by: [source.ip], timespan: 1h, condition: {{gte: 40}}}}
"""
OTHER = f"""
title: Other
id: {IDS[2]}
logsource: {{category: webserver}}
detection: {{s: {{url.path|startswith: /nothing}}, condition: s}}
"""
IMPORTED = OTHER.replace("Other", "Imported").replace(IDS[2], IDS[3]).replace("/nothing", "/probe")


class Stream(threading.Thread):
    """A web server that is asked fifty times a second, by one client."""

    def __init__(self, path):
        super().__init__()
        self.path, self.sent, self.ended = path, 0, threading.Event()
        path.touch()

    def run(self):
        while not self.ended.wait(0.02):
            at = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
            with self.path.open("a") as log:
                log.write(f'203.0.113.9 - - [{at}] "GET /probe-{self.sent} HTTP/1.1" 200 100 "-" "Mozilla/5.0"\n')
            self.sent += 1


def titles(product):
    return {rule["title"]: rule for rule in product.get("/rules")["items"]}


def raised(product, stage="live"):
    return {one["title"]: one["count"] for one in product.get(f"/alerts?limit=200&stage={stage}")["items"]}


@both_stores
def test_rules_change_under_a_stream_of_events(product, tmp_path):
    mine = product.data_dir / "rules" / "mine"
    mine.mkdir(parents=True)
    (mine / "steady.yml").write_text(STEADY)
    stream = Stream(tmp_path / "access.log")
    product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--path", str(stream.path))
    product.start()
    eventually(lambda: "Every probe" in titles(product), 60, "the detector has compiled its rules")
    stream.start()
    try:
        eventually(lambda: product.examined() > 10, 30, "events arrive")

        (mine / "other.yml").write_text(OTHER)
        eventually(lambda: "Other" in titles(product), 30, "a new file is taken up by itself")

        (mine / "steady.yml").write_text(STEADY.replace("gte: 40", "gte: ["))
        eventually(lambda: product.get("/rules")["faults"], 30, "the fault is shown")
        [fault] = product.get("/rules")["faults"]
        assert fault["reason"].startswith("the file as it was before goes on running")
        assert {"Every probe", "Many probes", "Other"} <= set(titles(product))
        eventually(lambda: product.metric("soc_detector_rule_faults") == 1, 30, "and counted")
        (mine / "steady.yml").write_text(STEADY)
        done = product.soc("rules", "reload")
        assert b"rules run" in done.stdout

        package = tmp_path / "theirs.zip"
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("rules/imported.yml", IMPORTED)
        product.soc("rules", "import", str(package), "--name", "theirs")
        eventually(lambda: "Imported" in titles(product), 30, "the import is taken up by itself")
        assert titles(product)["Imported"]["stage"] == "test"
        began = stream.sent
        eventually(lambda: stream.sent > began + 50, 30)
        (mine / "other.yml").unlink()
        eventually(lambda: "Other" not in titles(product), 30, "a file that is gone is taken up, too")
    finally:
        stream.ended.set()
        stream.join()
    eventually(lambda: product.examined() == stream.sent, 30, "every event was examined once")
    assert raised(product) == {"Every probe": stream.sent, "Many probes": stream.sent}
    tested = raised(product, "test")
    assert set(tested) == {"Imported"}
    assert 50 <= tested["Imported"] < stream.sent
