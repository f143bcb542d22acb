"""What the collector knows while Elasticsearch is away."""

from __future__ import annotations

import stat
import threading
from dataclasses import asdict

import orjson
import pytest
from servers import eventually

from soc.errors import NotFound, StoreUnavailable
from soc.model.org import EVERYTHING, Scope
from soc.model.source import Source, SourceHealth, Transport
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.open import open_stores
from soc.store.elastic.records.away import KnownSources, LatestHealth, keep_in_touch
from soc.store.elastic.records.sources import ElasticSources

NOBODY = "http://127.0.0.1:1"
PORTAL = Source("portal", "Cổng", "hungyen", "nginx.access", Transport.FILE, ("/var/log/*.log",), created_at=5)
OTP = Source("otp", "OTP", "ninhbinh", "otp.gateway", Transport.PUSH)


def known(url: str, file) -> KnownSources:
    client = connect(url, timeout_s=5)
    return KnownSources(ElasticSources(client, open_stores(client).audit, lambda: 1), file)


def test_a_first_start_without_a_server_says_so(tmp_path):
    with pytest.raises(StoreUnavailable, match="nobody listens"):
        known(NOBODY, tmp_path / "sources.json").load()


@pytest.mark.parametrize("text", ["", "{}", '{"revision": 1, "sources": [{"id": 1}]}'])
def test_a_damaged_file_is_no_file(tmp_path, text):
    (tmp_path / "sources.json").write_text(text)
    with pytest.raises(StoreUnavailable, match="nobody listens"):
        known(NOBODY, tmp_path / "sources.json").load()


def test_a_source_of_a_newer_govsoc_is_read_without_what_is_new(tmp_path):
    document = asdict(PORTAL) | {"token_hash": "digest", "mark": "1", "colour": "green"}
    (tmp_path / "sources.json").write_bytes(orjson.dumps({"revision": 3, "sources": [document], "colour": "green"}))
    sources = known(NOBODY, tmp_path / "sources.json")
    sources.load()
    assert sources.list(EVERYTHING) == [PORTAL]
    assert sources.by_token("digest") == PORTAL


@pytest.mark.server
class TestWithAServer:
    @pytest.fixture
    def stores(self, elastic):
        with connect(elastic.url) as client:
            setup.install(client)
            stores = open_stores(client)
            stores.sources.add(PORTAL, None, by="lan")
            stores.sources.add(OTP, "digest", by="lan")
            yield stores

    def test_what_was_known_counts_after_a_restart_without_the_server(self, elastic, stores, tmp_path):
        file = tmp_path / "data" / "sources.json"
        known(elastic.url, file).load()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, "it holds hashes of tokens"
        again = known(NOBODY, file)
        again.load()
        assert again.list(EVERYTHING) == [OTP, PORTAL]
        assert again.list(Scope(frozenset({"hungyen"}))) == [PORTAL]
        assert again.by_token("digest") == OTP
        assert again.by_token("other") is None
        assert again.get("portal", EVERYTHING) == PORTAL
        assert again.revision() == stores.sources.revision()
        with pytest.raises(NotFound):
            again.get("portal", Scope(frozenset({"ninhbinh"})))

    def test_changes_are_known_a_moment_later_and_health_is_written(self, elastic, stores, tmp_path):
        sources, stop = known(elastic.url, tmp_path / "sources.json"), threading.Event()
        health = LatestHealth(stores.health)
        sources.load()
        thread = threading.Thread(target=keep_in_touch, args=(sources, health, stop, 0.05))
        thread.start()
        try:
            before = sources.revision()
            stores.sources.set_enabled("otp", False, by="lan")
            eventually(lambda: sources.by_token("digest") is None, 10, "the token counts no more")
            assert sources.revision() > before
            for records in range(5):
                health.report([SourceHealth("portal", 1, 2, records, 0, 0.5)])
            eventually(lambda: stores.health.health().get("portal"), 10, "health is written")
            eventually(lambda: stores.health.health()["portal"].records == 4, 10, "the last report")
        finally:
            stop.set()
            thread.join()
