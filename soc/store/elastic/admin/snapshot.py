"""Snapshots of all our indices: taken while everything runs, restored into a cluster that has none of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from elasticsearch import BadRequestError, NotFoundError

from soc.errors import ConfigError, StoreUnavailable
from soc.store.elastic.client import Client
from soc.store.elastic.names import PREFIX

_OURS = f"{PREFIX}-*"
_POLL_S = 0.5
_STALL_S = 60.0


def check_repository(client: Client, repository: str, location: str | None) -> None:
    """Make sure that the repository can be used. `location`: a folder as the nodes see it, registered under that name.

    Raises `ConfigError`: there is none, or its folder is not one that the nodes allow.
    """
    try:
        if location is not None:
            client.snapshot.create_repository(name=repository, repository=_folder(location), verify=True)
        else:
            client.snapshot.verify_repository(name=repository)
    except NotFoundError:
        raise ConfigError(
            f"Elasticsearch has no snapshot repository {repository}: name one with --repository, or a folder with --location"
        ) from None
    except (BadRequestError, StoreUnavailable) as error:
        if location is None:
            raise
        raise ConfigError(
            f"Elasticsearch cannot use {location} for snapshots: each node needs it in path.repo (elasticsearch.yml), "
            f"as one shared folder that it may write to ({_reason(error)})"
        ) from None


def _folder(location: str) -> dict[str, Any]:
    return {"type": "fs", "settings": {"location": location, "compress": True}}


def _reason(error: Exception) -> str:
    body = getattr(error, "body", None)
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return " ".join(str(body["error"].get("reason")).split())[:200]
    return str(error)


def take(client: Client, repository: str, name: str, tell: Callable[[int, int], None]) -> list[str]:
    """Take a snapshot; returns the indices in it. `tell`: shards done and in all. Raises `StoreUnavailable` when any part failed."""
    client.snapshot.create(
        repository=repository,
        snapshot=name,
        indices=_OURS,
        include_global_state=False,
        ignore_unavailable=True,
        feature_states=["none"],
        wait_for_completion=False,
    )
    while True:
        [found] = client.snapshot.get(repository=repository, snapshot=name)["snapshots"]
        if found["state"] != "IN_PROGRESS":
            break
        stats = client.snapshot.status(repository=repository, snapshot=name)["snapshots"][0]["shards_stats"]
        tell(stats["done"], stats["total"])
        time.sleep(_POLL_S)
    if found["state"] != "SUCCESS":
        failures = found.get("failures") or [{"reason": found.get("reason", found["state"])}]
        raise StoreUnavailable(f"the snapshot {name} is not whole: {failures[0]['reason']}")
    return sorted(found["indices"])


def ours(client: Client) -> list[str]:
    """Our indices that are there."""
    return sorted(client.indices.get_settings(index=_OURS, name="index.uuid", expand_wildcards="all").body)


def restore(client: Client, repository: str, name: str, tell: Callable[[int, int], None]) -> list[str]:
    """Restore all of a snapshot into a cluster that has none of our indices; returns once every shard is there.

    Raises `StoreUnavailable` when nothing has moved for a minute, as when a shard finds no node that will hold it.
    """
    try:
        [found] = client.snapshot.get(repository=repository, snapshot=name)["snapshots"]
    except NotFoundError:
        raise ConfigError(f"the repository {repository} of Elasticsearch has no snapshot {name}") from None
    client.snapshot.restore(
        repository=repository,
        snapshot=name,
        indices=_OURS,
        include_global_state=False,
        feature_states=["none"],
        wait_for_completion=False,
    )
    wanted, moved, moved_at = sorted(found["indices"]), (0, 0), time.monotonic()
    while True:
        health = client.cluster.health(index=_OURS, level="indices", timeout="0s")
        whole = _whole(health.body)
        tell(len(whole), len(wanted))
        if whole.issuperset(wanted):
            return wanted
        if (now_at := (int(health["active_primary_shards"]), _recovered(client))) != moved:
            moved, moved_at = now_at, time.monotonic()
        elif time.monotonic() - moved_at >= _STALL_S:
            raise StoreUnavailable(_stalled(client, sorted(set(wanted) - whole)))
        time.sleep(_POLL_S)


def _whole(health: Mapping[str, Any]) -> set[str]:
    """Indices whose primary shards all work. An index that has only begun to come back is yellow, too."""
    return {
        name for name, index in health["indices"].items() if index["active_primary_shards"] == index["number_of_shards"]
    }


def _recovered(client: Client) -> int:
    """Bytes and operations that have come back so far: a large shard takes its time."""
    kept = "*.shards.index.size.recovered_in_bytes,*.shards.translog.recovered"
    answer: Mapping[str, Any] = client.indices.recovery(index=_OURS, filter_path=kept).body
    shards = [shard for index in answer.values() for shard in index["shards"]]
    return sum(
        int(shard.get("index", {}).get("size", {}).get("recovered_in_bytes", 0))
        + int(shard.get("translog", {}).get("recovered", 0))
        for shard in shards
    )


def _stalled(client: Client, indices: list[str]) -> str:
    rows: Any = client.cat.shards(index=indices[0], format="json", h="state,unassigned.reason,unassigned.details").body
    reasons = [
        f"{row['unassigned.reason']} {row['unassigned.details'] or ''}" for row in rows if row["unassigned.reason"]
    ]
    reason = " ".join(reasons[0].split())[:200] if reasons else "its shards are not ready"
    return (
        f"nothing of the snapshot has come back for {_STALL_S:.0f} s: {len(indices)} indices are not whole, such as {indices[0]} "
        f"({reason}). Ask `_cluster/allocation/explain`, put right what it says, delete govsoc-* there and restore again"
    )


def counts(client: Client) -> dict[str, int]:
    """Documents of each of our indices."""
    client.indices.refresh(index=_OURS)
    return {index: int(client.count(index=index)["count"]) for index in ours(client)}
