"""A real Elasticsearch for tests: one plain server and one with TLS and users a test session, each started when first asked for.

Tests that ask for one are marked `server`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from memory import roomy
from servers import eventually

from deploy.elasticsearch.cluster import Cluster
from deploy.elasticsearch.place import installed


def need_elasticsearch() -> None:
    """Skip on a person's laptop, fail in CI, when it is not installed."""
    if installed() is None:
        missing = "Elasticsearch is not installed (`make servers` installs it)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)


@contextmanager
def running(**options: Any) -> Iterator[Cluster]:
    """A cluster that starts quickly and forgets everything at the end. `options`: those of `Cluster`."""
    need_elasticsearch()
    with TemporaryDirectory(prefix="elasticsearch-", dir=roomy(), ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # it runs as another user
        cluster = Cluster(Path(folder), quick=True, **options)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture(scope="session")
def elastic_server() -> Iterator[Cluster]:
    """One plain node, whatever tests before have left in it; `elastic` is an empty one."""
    with running() as cluster:
        yield cluster


@pytest.fixture
def elastic(elastic_server: Cluster) -> Cluster:
    """The plain node without indices, templates and cluster settings of ours."""
    empty(elastic_server)
    return elastic_server


@pytest.fixture(scope="session")
def secured_server() -> Iterator[Cluster]:
    """One node with TLS and users: `.url`, `.ca`, and the user `elastic` with `.password`."""
    with running(security=True) as cluster:
        yield cluster


@pytest.fixture
def secured(secured_server: Cluster) -> Cluster:
    """The node with TLS and users, without anything of ours: no indices, templates, roles and keys."""
    empty(secured_server)
    eventually(lambda: _knows_keys(secured_server), 60, "the security index")
    for role in secured_server.request("GET", "/_security/role"):
        if role.startswith("govsoc-"):
            secured_server.request("DELETE", f"/_security/role/{role}")
    keys = secured_server.request("GET", "/_security/api_key?name=govsoc-*&active_only=true")["api_keys"]
    if keys:
        secured_server.request("DELETE", "/_security/api_key", {"ids": [key["id"] for key in keys]})
    return secured_server


def _knows_keys(cluster: Cluster) -> bool:
    """Just after its start the server cannot read its users and keys yet."""
    try:
        return cluster.request("GET", "/_security/api_key?name=x*") is not None
    except urllib.error.HTTPError:
        return False


# One node has no room for copies: with them `soc doctor` would say that some are missing.
_ONE_NODE = {"SOC_STORE__REPLICAS": "0"}


def reached(cluster: Cluster) -> dict[str, str]:
    """The settings, by environment, of who knows where a secured server is, and nothing else."""
    return {"SOC_STORE__URL": cluster.url, "SOC_STORE__CA_FILE": str(cluster.ca)} | _ONE_NODE


def set_up(cluster: Cluster, *arguments: str) -> dict[str, str]:
    """`soc setup elasticsearch` as the administrator; the keys that it made, by name."""
    done = subprocess.run(
        [sys.executable, "-m", "soc", "setup", "elasticsearch", "--user", "elastic", "--json", *arguments],
        env=os.environ | reached(cluster) | {"SOC_SETUP_PASSWORD": cluster.password},
        capture_output=True,
        timeout=300,
        check=True,
    )
    assert done.stderr == b""
    keys: dict[str, str] = json.loads(done.stdout)["keys"]
    return keys


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


def event_values(cluster: Cluster, field: str) -> list[str]:
    """This field of every event that has it."""
    hits = documents(cluster, "govsoc-events-*", source=[field])
    return [hit["_source"][field] for hit in hits if field in hit["_source"]]


def documents(cluster: Cluster, index: str, *, source: object = True) -> Iterator[dict]:
    """Every document of these indices as a search finds it, in no order. `source`: which of its fields."""
    cluster.request("POST", f"/{index}/_refresh")
    first = {"size": 5000, "_source": source, "sort": ["_doc"]}
    answer = cluster.request("POST", f"/{index}/_search?scroll=1m&allow_partial_search_results=false", first)
    if not answer["_shards"]["total"]:  # no such index: no scroll that could go on or be ended
        return
    while hits := answer["hits"]["hits"]:
        yield from hits
        answer = cluster.request("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": answer["_scroll_id"]})
    cluster.request("DELETE", "/_search/scroll", {"scroll_id": answer["_scroll_id"]})
