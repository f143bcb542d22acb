"""A cluster of three nodes loses one after the other under load, by `kill -9` and by a planned restart: nothing is lost, nothing is
there twice, detection and the console go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from elastic import empty, event_ids, running
from load import Feed, Watch, alerts, alerts_of_a_calm_run, indexed, logged_ids
from servers import Product, eventually

from bench import workload
from deploy.elasticsearch.cluster import Cluster, Node

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[Cluster]:
    with running(nodes=3, heap="400m") as cluster:
        yield cluster


@pytest.fixture
def nodes(three_nodes: Cluster) -> Cluster:
    """All three, with nothing of ours in them."""
    eventually(lambda: green(three_nodes), 150, "the cluster is whole")
    empty(three_nodes)
    return three_nodes


def with_primary(cluster: Cluster) -> Node:
    """The node that has the first shard of the events."""
    shards = cluster.request("GET", "/_cat/shards/govsoc-events-*?format=json")
    return named(cluster, next(shard["node"] for shard in shards if shard["prirep"] == "p"))


def elected(cluster: Cluster) -> Node:
    return named(cluster, cluster.request("GET", "/_cat/master?format=json")[0]["node"])


def named(cluster: Cluster, name: str) -> Node:
    return next(node for node in cluster.nodes if node.name == name)


def green(cluster: Cluster) -> bool:
    """Every shard has its copy."""
    health = cluster.request("GET", "/_cluster/health")
    return health["status"] == "green" and health["number_of_nodes"] == len(cluster.nodes)


class Rig:
    """The product on the three nodes, a file that grows all the time, and a watch over both."""

    def __init__(self, cluster: Cluster, folder: Path, seed: int, opened: ExitStack) -> None:
        self.cluster = cluster
        self.lines = list(workload.lines(200_000, seed=seed, attacks=0.02))
        log = folder / "access.log"
        log.touch()
        self.product = Product(folder / "data", env={"SOC_STORE__URL": ",".join(node.url for node in cluster.nodes)})
        self.product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--path", str(log))
        opened.callback(self.product.stop)
        self.product.start()
        self.feed = Feed(log, self.lines, per_s=400)
        opened.callback(self.feed.stop)
        self.feed.start()
        eventually(lambda: indexed(self.product) > 2000, 60, "the first events are indexed")
        eventually(lambda: green(cluster), 150, "every shard has a copy")
        self.watch = Watch(self.product)
        opened.callback(self.watch.stop)
        self.watch.start()

    def lose(self, node: Node, how: Callable[[], None]) -> None:
        """Without the node it goes on; the node comes back and has its copies again."""
        before = indexed(self.product)
        how()
        eventually(lambda: indexed(self.product) > before + 2000, 90, f"without {node.name} it goes on")
        node.start()
        eventually(lambda: green(self.cluster), 150, f"{node.name} has its copies again")

    def check(self) -> None:
        """Everything is there once, nothing has stood still, and the alerts are those of a run that nothing disturbed."""
        product, feed, watch = self.product, self.feed, self.watch
        feed.stop()
        eventually(lambda: indexed(product) >= feed.written, 90, "everything is indexed")
        eventually(lambda: product.examined() >= feed.written, 60, "everything is examined")
        watch.stop()
        assert feed.written > 6000
        assert len(logged_ids(product.data_dir)) == feed.written
        assert event_ids(self.cluster) == logged_ids(product.data_dir)
        print(watch.answers, watch.slowest_s, watch.longest_pause_s, feed.written)
        assert watch.longest_pause_s < 30, "detection goes on"
        assert set(watch.answers) <= {200, 503}, "the console keeps answering, or says that the store does not"
        assert watch.answers[200] > 0.9 * sum(watch.answers.values())
        assert "Traceback" not in product.log.read_text()
        found = alerts(product)
        product.stop()
        assert len(found) > 20
        assert found == alerts_of_a_calm_run(product, self.lines[: feed.written])


def test_a_node_killed_three_times_under_load(nodes, tmp_path):
    """The one that holds the primary shard of the events, the elected master, and any."""
    with ExitStack() as opened:
        rig = Rig(nodes, tmp_path, 7, opened)
        for pick in (with_primary, elected, lambda cluster: cluster.nodes[2]):
            victim = pick(nodes)
            rig.lose(victim, victim.kill)
        rig.check()


def test_a_rolling_restart_under_load(nodes, tmp_path):
    """As for an upgrade: each node stops when it is told to, and the next one only when all have their copies again."""
    with ExitStack() as opened:
        rig = Rig(nodes, tmp_path, 8, opened)
        for node in nodes.nodes:
            rig.lose(node, node.stop)
        rig.check()
