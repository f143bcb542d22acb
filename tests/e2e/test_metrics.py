"""What each process lets Prometheus read: well formed by promtool, and bounded, however many sources and communes there are."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request

import pytest
from load import enrol, push
from office import line
from servers import Product, eventually, need

from soc.model.org import EVERYTHING
from soc.model.source import Source, Transport
from soc.service.process import now_ms
from soc.store.sqlite import open_stores

pytestmark = pytest.mark.server
COMMUNES, PROVINCES = 3_321, 34
MOST_SERIES = 6_000  # a thousand sources
WELL_FORMED = (
    0,
    3,
)  # promtool's: 3 is what it would name otherwise, as some of Python's own metrics; 1 is what Prometheus cannot read


def test_metrics_are_well_formed_and_bounded_with_a_source_in_each_commune(product: Product):
    need("promtool")
    token = enrol(product)
    sources = open_stores(product.data_dir).sources
    for n in range(COMMUNES):
        org = f"province{n % PROVINCES}.commune{n}"
        sources.add(Source(f"s{n}", f"s{n}", org, "otp.gateway", Transport.PUSH, created_at=now_ms()), None, by="t")
    assert len(sources.list(EVERYTHING)) > COMMUNES
    product.start()
    push(product, token, [line("203.0.113.5", "/")])
    eventually(lambda: product.examined() >= 1, 60)
    eventually(lambda: "soc_sources{" in scraped(product, "SERVE"), 60, "the figures of the sources")
    texts = {part: scraped(product, part) for part in ("SERVE", "COLLECT", "DETECT", "OBSERVE")}
    for part, text in texts.items():
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        own = [said for said in (done.stdout + done.stderr).splitlines() if said.startswith("soc_")]
        assert own == [], part
        assert done.returncode in WELL_FORMED, (part, done.stderr)
    series = {part: sum(not one.startswith("#") for one in text.splitlines()) for part, text in texts.items()}
    assert sum(series.values()) <= MOST_SERIES, series
    began = time.perf_counter()
    for _ in range(20):
        scraped(product, "SERVE")
    each = (time.perf_counter() - began) / 20
    sys.stderr.write(f"\n{series} series with {COMMUNES} sources; a scrape of the API takes {1000 * each:.1f} ms\n")


def scraped(product: Product, part: str) -> str:
    with urllib.request.urlopen(
        f"http://127.0.0.1:{product.env[f'SOC_{part}__HTTP_PORT']}/metrics", timeout=30
    ) as answer:
        return answer.read().decode()
