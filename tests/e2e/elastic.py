"""A real Elasticsearch for tests: one plain server and one with TLS and users a test session, each started when first asked for.

Tests that ask for one are marked `server`.
"""

from __future__ import annotations

import os
import urllib.error
from collections.abc import Iterator

import pytest

from deploy.elasticsearch.cluster import Cluster
from deploy.elasticsearch.place import installed


def need_elasticsearch() -> None:
    """Skip on a person's laptop, fail in CI, when it is not installed."""
    if installed() is None:
        missing = "Elasticsearch is not installed (`make servers` installs it)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)


@pytest.fixture(scope="session")
def elastic_server() -> Iterator[Cluster]:
    """One plain node, whatever tests before have left in it; `elastic` is an empty one."""
    need_elasticsearch()
    cluster = Cluster(quick=True)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def elastic(elastic_server: Cluster) -> Cluster:
    """The plain node without indices, templates and cluster settings of ours."""
    empty(elastic_server)
    return elastic_server


@pytest.fixture(scope="session")
def secured_server() -> Iterator[Cluster]:
    """One node with TLS and users: `.url`, `.ca`, and the user `elastic` with `.password`."""
    need_elasticsearch()
    cluster = Cluster(security=True, quick=True)
    cluster.start()
    yield cluster
    cluster.stop()


def empty(cluster: Cluster) -> None:
    """Remove what govsoc makes."""
    for what in ("/govsoc-*?expand_wildcards=all", "/_index_template/govsoc-*", "/_component_template/govsoc-*"):
        try:
            cluster.request("DELETE", what)
        except urllib.error.HTTPError as error:
            if error.code != 404:  # none of ours
                raise
    set_ = cluster.request("GET", "/_cluster/settings?flat_settings")
    for kind in ("persistent", "transient"):
        if set_.get(kind):
            cluster.request("PUT", "/_cluster/settings", {kind: dict.fromkeys(set_[kind])})


def event_ids(cluster: Cluster) -> list[str]:
    """The id of every event that is stored, sorted; one that is stored twice, in two indices, is there twice."""
    return sorted(hit["_id"] for hit in documents(cluster, "govsoc-events-*", source=False))


def documents(cluster: Cluster, index: str, *, source: object = True) -> Iterator[dict]:
    """Every document of these indices as a search finds it, in no order. `source`: which of its fields."""
    cluster.request("POST", f"/{index}/_refresh")
    first = {"size": 5000, "_source": source, "sort": ["_doc"]}
    answer = cluster.request("POST", f"/{index}/_search?scroll=1m", first)
    if not answer["_shards"]["total"]:  # no such index: no scroll that could go on or be ended
        return
    while hits := answer["hits"]["hits"]:
        yield from hits
        answer = cluster.request("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": answer["_scroll_id"]})
    cluster.request("DELETE", "/_search/scroll", {"scroll_id": answer["_scroll_id"]})
