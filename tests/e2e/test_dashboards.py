"""Every query of every dashboard against a real Prometheus, and those of its panels that search a real Elasticsearch, on the demo."""

from __future__ import annotations

import statistics
import sys
import time

import pytest
from monitoring import monitored
from runner import Answer, Runner
from servers import Product, eventually

from dashboards.build import BOARDS, FOLDER

pytestmark = pytest.mark.server
ALLOWED = {" · ".join(panel.title): panel.empty for board in BOARDS for panel in board.panels if panel.empty}
FILES = sorted(FOLDER.glob("*.json"))
_PATIENCE_S = 600.0  # at night little happens on the demo


@pytest.mark.parametrize("store", ["sqlite", "elasticsearch"], indirect=True)
def test_every_panel_shows_something_on_the_demo(product: Product, store: dict[str, str], tmp_path):
    with monitored(product, tmp_path) as prometheus:
        product.start("--demo")
        items = eventually(lambda: product.get("/series?limit=1")["items"], 180, "the first bucket of a series")
        runner = Runner(prometheus, store.get("SOC_STORE__URL"), product.url, product.key, {"series": items[0]["id"]})
        deadline = time.monotonic() + _PATIENCE_S
        while idle := _idle(answers := [one for path in FILES for one in runner.ask(path)]):
            assert time.monotonic() < deadline, idle
            time.sleep(5)
    asked = [" · ".join(panel.title) for board in BOARDS for panel in board.panels if store or not panel.searches]
    assert sorted(one.panel for one in answers) == sorted(asked), "on the embedded store all but the searches"
    seconds = [one for answer in answers for one in answer.seconds]
    p95 = statistics.quantiles(seconds, n=20)[-1]
    sys.stderr.write(
        f"\n{len(answers)} panels, {len(seconds)} queries, p95 {1000 * p95:.0f} ms, most {max(seconds):.2f} s\n"
    )


def _idle(answers: list[Answer]) -> list[str]:
    """Panels that show nothing, but for those that may."""
    return [f"{one.board}: {one.panel}" for one in answers if not any(one.series.values()) and one.panel not in ALLOWED]
